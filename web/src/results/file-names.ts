/** Names of files in the archive: the service's names, made safe for every operating system. */

/** Return a relative path without parts that leave the folder or that a file system cannot hold. */
export function safePath(name: string): string {
  const parts = name
    .split(/[/\\]+/)
    .map((part) => part.replace(/[\p{Cc}\p{Cf}<>:"|?*]/gu, '_').replace(/[. ]+$/, '_'))
    .filter((part) => part !== '' && part !== '_' && part !== '.');
  return parts.join('/') || 'file';
}

/** Return a function that numbers equal names: `a.csv`, `a-2.csv`. Upper and lower case are equal, as on many disks. */
export function uniqueNames(): (name: string) => string {
  const taken = new Set<string>();
  return (name) => {
    const [, stem, end] = /^(.*?)((?:\.[^./]*)*)$/s.exec(name) as RegExpExecArray;
    let unique = name;
    for (let number = 2; taken.has(unique.toLowerCase().normalize('NFC')); number += 1) unique = `${stem}-${number}${end}`;
    taken.add(unique.toLowerCase().normalize('NFC'));
    return unique;
  };
}
