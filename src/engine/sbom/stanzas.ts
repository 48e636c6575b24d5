export type Stanza = ReadonlyMap<string, string>;

/**
 * Reads paragraphs of `Name: value` lines, as Debian's control files (deb-control(5)) and Python's METADATA (an e-mail's
 * head) have them: lines that begin with a space go on. Of fields that come twice the first stays. Names in lower case.
 */
export function parseStanzas(text: string): readonly Stanza[] {
  return text
    .split(/\r?\n(?:[ \t]*\r?\n)+/)
    .map(parseStanza)
    .filter((stanza) => stanza.size > 0);
}

function parseStanza(text: string): Stanza {
  const fields = new Map<string, string>();
  for (const line of text.replaceAll(/\r?\n[ \t]+/g, '\n\t').split(/\r?\n(?!\t)/)) {
    const colon = line.indexOf(':');
    if (colon < 1) continue;
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).replaceAll('\n\t', '\n');
    if (!fields.has(name)) fields.set(name, value.trim());
  }
  return fields;
}
