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
  assert.deepEqual(
    chosen.slice(-2).map(({ path }) => path),
    ['card/a.wav', 'b.wav'],
  );
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

/** A folder that refuses names with `<`, as Chromium does. */
const folderHandle = (children: Record<string, object>) => {
  const get = async (name: string) => {
    if (/[<:]/.test(name)) throw new TypeError('Name is not allowed.');
    if (!(name in children)) throw new DOMException(name, 'NotFoundError');
    return children[name];
  };
  const entries = async function* () {
    yield* Object.entries(children);
  };
  return { kind: 'directory', getDirectoryHandle: get, getFileHandle: get, entries };
};

test('a file is opened again below the dropped folder, whatever its name', async () => {
  const [plain, strange] = ['a.wav', '<b>.wav'].map((name) => new File(['x'], name));
  const day = folderHandle({ 'a.wav': { getFile: async () => plain }, '<b>.wav': { getFile: async () => strange } });
  const card = folderHandle({ day, '12:00': day }) as any;
  assert.equal(await openAgain(card, 'card/day/a.wav'), plain);
  assert.equal(await openAgain(card, 'card/12:00/<b>.wav'), strange);
  await assert.rejects(openAgain(card, 'card/day/c.wav'), { name: 'NotFoundError' });
});
