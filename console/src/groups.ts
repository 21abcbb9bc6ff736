// The members of a list by a name of each, in the order in which the names come. Pure.

export function groups<T>(items: Iterable<T>, nameOf: (item: T) => string): Map<string, T[]> {
  const made = new Map<string, T[]>();
  for (const item of items) {
    const name = nameOf(item);
    const own = made.get(name);
    if (own === undefined) made.set(name, [item]);
    else own.push(item);
  }
  return made;
}
