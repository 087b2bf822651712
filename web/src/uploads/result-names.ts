/** Names of recordings in the results. An upload has no folder, so files of two folders may have one name. */

/**
 * Return the names that the results use, in the order of the recordings: the service numbers repeated names. Names that
 * differ only in case, or in the encoding of an accent, count as the same.
 *
 * @example resultNames(['a.wav', 'A.wav']) // ['a.wav', 'A-2.wav']
 */
export function resultNames(names: string[]): string[] {
  const used = new Set(['combined']);
  const next = new Map<string, number>();
  return names.map((name) => {
    const dot = name.lastIndexOf('.');
    const [stem, extension] = dot < 0 ? [name, ''] : [name.slice(0, dot), name.slice(dot)];
    const key = folded(name);
    let candidate = name;
    while (used.has(folded(candidate))) {
      const number = next.get(key) ?? 2;
      candidate = `${stem}-${number}${extension}`;
      next.set(key, number + 1);
    }
    used.add(folded(candidate));
    return candidate;
  });
}

function folded(name: string): string {
  return name.normalize('NFC').toLowerCase().normalize('NFC');
}
