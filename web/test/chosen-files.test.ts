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
  const { chosen } = await filesOfDrop([item(card), item(fileEntry('/b.wav')), { kind: 'string' } as any]);
  assert.equal(chosen.length, 252);
  assert.deepEqual(
    chosen.slice(-2).map(({ path }) => path),
    ['card/a.wav', 'b.wav'],
  );
  assert.equal(chosen[0].path, 'card/day/0.wav');
});

test('a dropped folder is kept with its files where the browser has handles', async () => {
  const handle = { kind: 'directory' };
  const { chosen } = await filesOfDrop([item(folderEntry('/card', [fileEntry('/card/a.wav')]), handle)]);
  assert.equal(chosen[0].root, handle);
});

test('a drop works although the browser refuses the handle', async () => {
  const refused = { ...item(fileEntry('/a.wav')), getAsFileSystemHandle: () => Promise.reject(new Error('no')) };
  const { chosen } = await filesOfDrop([refused]);
  assert.deepEqual([chosen[0].path, chosen[0].root], ['a.wav', undefined]);
});

const fail = (_: unknown, reject: (error: Error) => void) => reject(new DOMException('no', 'NotReadableError'));

test('what cannot be read is named, and the other files of the drop are taken', async () => {
  const broken = { ...fileEntry('/card/broken.wav'), file: fail };
  const closed = { ...folderEntry('/card/closed', []), createReader: () => ({ readEntries: fail }) };
  const card = folderEntry('/card', [broken, closed, fileEntry('/card/a.wav')]);
  const { chosen, leftOut } = await filesOfDrop([item(card), item(fileEntry('/b.wav'))]);
  assert.deepEqual(
    chosen.map(({ path }) => path),
    ['card/a.wav', 'b.wav'],
  );
  assert.deepEqual(leftOut, [
    { path: 'card/broken.wav', reason: 'unreadable' },
    { path: 'card/closed', reason: 'unreadable' },
  ]);
});

test('folders of the operating system and hidden ones are left out without reading them', async () => {
  const never = () => assert.fail('the folder was read');
  const [system, hidden] = ['System Volume Information', '.Trashes'].map((name) => ({
    ...folderEntry(`/card/${name}`, []),
    createReader: never,
  }));
  const { chosen, leftOut } = await filesOfDrop([item(folderEntry('/card', [system, hidden, fileEntry('/card/a.wav')]))]);
  assert.equal(chosen.length, 1);
  assert.deepEqual(leftOut, [
    { path: 'card/System Volume Information', reason: 'system' },
    { path: 'card/.Trashes', reason: 'hidden' },
  ]);
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
