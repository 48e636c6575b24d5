export interface UnitOptions {
  /** The command that runs the daemon in the foreground. */
  readonly argv: readonly string[];
  readonly root: string;
}

/**
 * The systemd unit of the daemon. `KillMode=process`: stopping the daemon ends the daemon only; containers, their
 * conmons, HAProxy and the name servers go on (systemd.kill(5)). `Delegate=yes`: containers get cgroups of their own.
 */
export function renderUnit({ argv, root }: UnitOptions): string {
  return `[Unit]
Description=Bascule daemon (${root})
Documentation=man:systemd.service(5)
After=network-online.target local-fs.target
Wants=network-online.target

[Service]
Type=exec
ExecStart=${argv.map(quote).join(' ')}
Restart=on-failure
RestartSec=1
KillMode=process
Delegate=yes
LimitNOFILE=1048576
TasksMax=infinity

[Install]
WantedBy=multi-user.target
`;
}

/** systemd.service(5), "Command lines": quotes, and `%` and `$` that stand for themselves. */
function quote(word: string): string {
  const escaped = word.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%').replaceAll('$', '$$$$');
  return /[\s"'\\;]/.test(word) ? `"${escaped}"` : escaped;
}
