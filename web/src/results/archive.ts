/**
 * All files as one archive, made in the browser. Files are fetched one after the other and written into the archive as
 * they come; nothing is saved unless every file arrived.
 */
import { downloadZip } from 'client-zip';
import { AnemonefishError } from '../client.ts';
import { safePath, uniqueNames } from './file-names.ts';
import { fetchLink } from './job-results.ts';

/** A file of the archive; its link is asked for just before it is fetched, because links expire. */
export interface ArchiveEntry {
  name: string;
  content: () => Promise<string | Blob>;
}

export interface ArchiveProgress {
  files: number;
  bytes: number;
}

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
): Promise<Blob> {
  const progress = { files: 0, bytes: 0 };
  const unique = uniqueNames();
  let refusal: unknown = null;
  async function* files() {
    try {
      for await (const { name, content } of entries) {
        signal.throwIfAborted();
        const found = await content();
        const body = typeof found === 'string' ? await fetchLink(found, signal) : new Response(found);
        const counted = (body.body as ReadableStream<Uint8Array>).pipeThrough(
          new TransformStream<Uint8Array, Uint8Array>({
            transform(chunk, controller) {
              progress.bytes += chunk.byteLength;
              onProgress({ ...progress });
              controller.enqueue(chunk);
            },
          }),
        );
        yield { name: unique(safePath(name)), input: counted };
        progress.files += 1;
        onProgress({ ...progress });
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
    // Of a stream that broke, a browser says no more than "Failed to fetch".
    throw refusal ?? new AnemonefishError('NetworkError', `a file did not arrive: ${(error as Error).message}`, { cause: error });
  }
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
