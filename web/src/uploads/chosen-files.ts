/** Files that a user dropped or chose, with the folders in which they lie. */
import { checkIgnored } from './file-checks.ts';
import type { LeftOut } from './file-checks.ts';

/** A file with its path and, if the browser can open it again after a reload, what was dropped. */
export interface ChosenFile {
  /** Name with the folders above it, separated by `/`. */
  path: string;
  file: File;
  /** The dropped file, or the dropped folder in which it lies. */
  root?: FileSystemHandle;
}

/** Return the files of an input, also of one that takes a folder. */
export function filesOfInput(input: HTMLInputElement): ChosenFile[] {
  return [...(input.files ?? [])].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
}

/** A dropped item, as a browser gives it. Firefox and Safari have no handles. */
type DroppedItem = Pick<DataTransferItem, 'kind' | 'webkitGetAsEntry' | 'getAsFile'> & {
  getAsFileSystemHandle?: () => Promise<FileSystemHandle | null>;
};

/**
 * Return all files of a drop, also those in dropped folders, and what is left out: folders of the system, which may
 * forbid to be read, and what cannot be read.
 *
 * The items of a drop are valid only during its event, so they are all read before the first `await`.
 */
export async function filesOfDrop(items: Iterable<DroppedItem>): Promise<{ chosen: ChosenFile[]; leftOut: LeftOut[] }> {
  const dropped = [...items]
    .filter((item) => item.kind === 'file')
    .map((item) => ({
      entry: item.webkitGetAsEntry(),
      file: item.getAsFile(),
      handle: item.getAsFileSystemHandle?.().catch(() => null),
    }));
  const chosen: ChosenFile[] = [];
  const leftOut: LeftOut[] = [];
  for (const { entry, file, handle } of dropped) {
    const root = (await handle) ?? undefined;
    if (entry) for await (const found of filesBelow(entry, leftOut)) chosen.push({ ...found, root });
    else if (file) chosen.push({ path: file.name, file, root });
  }
  return { chosen, leftOut };
}

async function* filesBelow(entry: FileSystemEntry, leftOut: LeftOut[]): AsyncGenerator<ChosenFile> {
  const path = entry.fullPath.replace(/^\//, '');
  const ignored = checkIgnored(path);
  if (ignored) {
    leftOut.push({ path, reason: ignored });
    return;
  }
  try {
    if (entry.isFile) yield { path, file: await fileOf(entry as FileSystemFileEntry) };
    else for await (const child of entriesOf(entry as FileSystemDirectoryEntry)) yield* filesBelow(child, leftOut);
  } catch {
    leftOut.push({ path, reason: 'unreadable' });
  }
}

function fileOf(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}

async function* entriesOf(folder: FileSystemDirectoryEntry): AsyncGenerator<FileSystemEntry> {
  const reader = folder.createReader();
  for (;;) {
    // Chromium returns at most 100 entries at a time; an empty list is the end.
    const entries = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (!entries.length) return;
    yield* entries;
  }
}

/**
 * Open a file again below what was dropped.
 *
 * @param root that file, or the folder that `path` begins with
 */
export async function openAgain(root: FileSystemHandle, path: string): Promise<File> {
  if (root.kind === 'file') return (root as FileSystemFileHandle).getFile();
  const [, ...folders] = path.split('/');
  const name = folders.pop()!;
  let folder = root as FileSystemDirectoryHandle;
  for (const part of folders) {
    folder = await folder.getDirectoryHandle(part).catch(() => listed<FileSystemDirectoryHandle>(folder, part));
  }
  const file = await folder.getFileHandle(name).catch(() => listed<FileSystemFileHandle>(folder, name));
  return file.getFile();
}

/** Return an entry by listing the folder: Chromium refuses to open a name with `<` or `:`, but lists it. */
async function listed<T extends FileSystemHandle>(folder: FileSystemDirectoryHandle, name: string): Promise<T> {
  for await (const [found, handle] of folder.entries()) if (found === name) return handle as unknown as T;
  throw new DOMException(name, 'NotFoundError');
}
