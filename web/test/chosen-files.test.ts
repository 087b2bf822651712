import assert from 'node:assert/strict';
import test from 'node:test';
import { filesOfDrop, openAgain } from '../src/uploads/chosen-files.ts';

const fileEntry = (path: string) => ({
  isFile: true,
  fullPath: path,
  file: (resolve: (file: File) => void) => resolve(new File(['x'], path.split('/').at(-1)!)),
});

/** A folder whose reader returns its entries in pieces, as Chromium does. */
const folderEntry = (path: string, children: object[], piece = 100) => ({
  isFile: false,
  fullPath: path,
  createReader: () => {
    const left = [...children];
    return { readEntries: (resolve: (entries: object[]) => void) => resolve(left.splice(0, piece)) };
  },
});

const item = (entry: object, handle?: object) =>
  ({
    kind: 'file',
    webkitGetAsEntry: () => entry,
    getAsFile: () => null,
    ...(handle && { getAsFileSystemHandle: async () => handle }),
  }) as any;

test('all files of dropped folders are found, in folders of folders and in more than one piece', async () => {
  const many = Array.from({ length: 250 }, (_, number) => fileEntry(`/card/day/${number}.wav`));
  const card = folderEntry('/card', [folderEntry('/card/day', many), fileEntry('/card/a.wav')]);
  const chosen = await filesOfDrop([item(card), item(fileEntry('/b.wav')), { kind: 'string' } as any]);
  assert.equal(chosen.length, 252);
  assert.deepEqual(chosen.slice(-2).map(({ path }) => path), ['card/a.wav', 'b.wav']);
  assert.equal(chosen[0].path, 'card/day/0.wav');
});

test('a dropped folder is kept with its files where the browser has handles', async () => {
  const handle = { kind: 'directory' };
  const [{ root }] = await filesOfDrop([item(folderEntry('/card', [fileEntry('/card/a.wav')]), handle)]);
  assert.equal(root, handle);
});

test('a drop works although the browser refuses the handle', async () => {
  const refused = { ...item(fileEntry('/a.wav')), getAsFileSystemHandle: () => Promise.reject(new Error('no')) };
  const [{ path, root }] = await filesOfDrop([refused]);
  assert.deepEqual([path, root], ['a.wav', undefined]);
});

test('a file is opened again below the dropped folder', async () => {
  const file = new File(['x'], 'a.wav');
  const visited: string[] = [];
  const folder = {
    kind: 'directory',
    getDirectoryHandle: async (name: string) => (visited.push(name), folder),
    getFileHandle: async (name: string) => (visited.push(name), { getFile: async () => file }),
  };
  assert.equal(await openAgain(folder as any, 'card/day/night/a.wav'), file);
  assert.deepEqual(visited, ['day', 'night', 'a.wav']);
});
