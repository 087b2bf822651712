/**
 * All files as one archive, made in the browser. Files are fetched one after the other, each again if the line breaks;
 * nothing is saved unless every file arrived.
 */
import { downloadZip } from 'client-zip';
import { AnemonefishError } from '../client.ts';
import { safePath, uniqueNames } from './file-names.ts';
import { fetchLink } from './job-results.ts';

/**
 * A file of the archive. A link may be as old as the page of links that it came with (200 files), and is valid for an
 * hour.
 */
export interface ArchiveEntry {
  name: string;
  content: () => Promise<string | Blob>;
}

export interface ArchiveProgress {
  files: number;
  bytes: number;
}

/** Times that a file is fetched before the archive is given up. */
const TRIES = 4;

/**
 * Write the files into an archive.
 *
 * @param entries a file's content is a link, or the bytes themselves
 * @returns the archive; it rejects if one of its files did not arrive
 */
export async function makeArchive(
  entries: AsyncIterable<ArchiveEntry>,
  signal: AbortSignal,
  onProgress: (progress: ArchiveProgress) => void,
  { retryDelay = 1000 } = {},
): Promise<Blob> {
  const progress = { files: 0, bytes: 0 };
  const unique = uniqueNames();
  let refusal: unknown = null;
  async function* files() {
    try {
      for await (const { name, content } of entries) {
        const input = await arrived(content, signal, retryDelay, (bytes) => onProgress({ ...progress, bytes: progress.bytes + bytes }));
        progress.files += 1;
        progress.bytes += input.size;
        onProgress({ ...progress });
        yield { name: unique(safePath(name)), input };
      }
    } catch (error) {
      refusal = error;
      throw error;
    }
  }
  try {
    return await downloadZip(files()).blob();
  } catch (error) {
    signal.throwIfAborted();
    throw refusal ?? error;
  }
}

/** Return the bytes of a file, fetched again if the line breaks. Throws the client's error. */
async function arrived(content: ArchiveEntry['content'], signal: AbortSignal, delay: number, onBytes: (bytes: number) => void): Promise<Blob> {
  for (let tries = 1; ; tries += 1) {
    signal.throwIfAborted();
    try {
      const found = await content();
      return typeof found === 'string' ? await counted(await fetchLink(found, signal), onBytes) : found;
    } catch (error) {
      signal.throwIfAborted();
      // Of a stream that broke, a browser says no more than "Failed to fetch".
      const known =
        error instanceof AnemonefishError
          ? error
          : new AnemonefishError('NetworkError', `a file did not arrive: ${(error as Error).message}`, { cause: error });
      const isPassing = known.error === 'NetworkError' || known.status === 429 || known.status >= 500;
      if (tries === TRIES || !isPassing) throw known;
      onBytes(0);
      await new Promise((resolve) => setTimeout(resolve, delay * 2 ** (tries - 1)));
    }
  }
}

async function counted(response: Response, onBytes: (bytes: number) => void): Promise<Blob> {
  let bytes = 0;
  const count = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      onBytes((bytes += chunk.byteLength));
      controller.enqueue(chunk);
    },
  });
  return new Response(response.body?.pipeThrough(count)).blob();
}

/** Let the browser save a blob under a name. */
export function saveBlob(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  saveLink(url, name);
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // the browser has begun to read it by then
}

/** Let the browser save a link. The storage names the file itself; `name` counts for blobs only. */
export function saveLink(url: string, name: string): void {
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.rel = 'noopener';
  document.body.append(link);
  link.click();
  link.remove();
}
