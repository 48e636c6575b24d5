/** The same answer for the same object, worked out once. */
export function remembered<Key extends object, Answer>(workOut: (key: Key) => Answer): (key: Key) => Answer {
  const known = new WeakMap<Key, Answer>();
  return (key) => {
    const found = known.get(key);
    if (found !== undefined) return found;
    const answer = workOut(key);
    known.set(key, answer);
    return answer;
  };
}
