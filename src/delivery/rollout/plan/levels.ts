/** What each service needs, in the first part of each pair. */
type Needs = ReadonlyMap<string, readonly (readonly [string, unknown])[]>;

type Levels = readonly (readonly string[])[];

/** Groups of services, each group needing only those before it. */
export function levelsOf(services: ReadonlySet<string>, needs: Needs): Levels {
  const levels = new Map<string, number>();
  const levelOf = (name: string): number => {
    const known = levels.get(name);
    if (known !== undefined) return known;
    let level = 0;
    for (const [other] of needs.get(name) ?? [])
      level = Math.max(level, levelOf(other) + (services.has(other) ? 1 : 0));
    levels.set(name, level);
    return level;
  };
  const groups: string[][] = [];
  for (const name of [...services].sort()) (groups[levelOf(name)] ??= []).push(name);
  return groups.filter((group) => group !== undefined);
}

/** The same for many groups, of which those that follow each other are often alike. */
export function rememberLevels(needs: Needs): (services: ReadonlySet<string>) => Levels {
  let last: { readonly key: string; readonly levels: Levels } | undefined;
  return (services) => {
    const key = [...services].join(' ');
    if (last?.key !== key) last = { key, levels: levelsOf(services, needs) };
    return last.levels;
  };
}
