const ADJECTIVES = [
  'agile', 'amber', 'brave', 'bright', 'calm', 'clever', 'crisp', 'eager', 'fair', 'fleet', 'gentle', 'glad', 'happy',
  'hardy', 'jolly', 'keen', 'kind', 'lively', 'lucid', 'merry', 'mild', 'neat', 'nimble', 'noble', 'patient', 'proud',
  'quick', 'quiet', 'ready', 'sharp', 'silent', 'snug', 'spry', 'steady', 'sunny', 'swift', 'tidy', 'vivid', 'warm',
  'wise',
]; // prettier-ignore

/** Builders of bridges and of machines. */
const SURNAMES = [
  'babbage', 'bazalgette', 'brunel', 'clark', 'dijkstra', 'eads', 'eiffel', 'floyd', 'franklin', 'freyssinet',
  'hamilton', 'hoare', 'hopper', 'jacquard', 'jones', 'kernighan', 'lamport', 'liskov', 'lovelace', 'maillart',
  'mcilroy', 'naur', 'noether', 'perlman', 'ritchie', 'roebling', 'scherzer', 'shannon', 'strauss', 'strub',
  'telford', 'thompson', 'torroja', 'turing', 'warren', 'wirth',
]; // prettier-ignore

/**
 * A name for a container whose user gave none, e.g. `brave_brunel`, with a number where all tries are taken.
 * @param random gives a whole number from 0 to below `limit`
 */
export function generateName(isTaken: (name: string) => boolean, random: (limit: number) => number): string {
  for (let attempt = 0; ; attempt++) {
    const number = attempt < 8 ? '' : String(random(10 ** Math.min(9, attempt - 6)));
    const name = `${ADJECTIVES[random(ADJECTIVES.length)]}_${SURNAMES[random(SURNAMES.length)]}${number}`;
    if (!isTaken(name)) return name;
  }
}
