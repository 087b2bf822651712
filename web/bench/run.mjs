// Frames per second of the time line while zooming, in headless Chromium: npm run bench
// It prints a JSON object. CHROMIUM names the browser if it is not on the PATH.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer } from 'vite';

const browser = process.env.CHROMIUM ?? 'chromium';
let reported;
const report = new Promise((resolve) => (reported = resolve));
const server = await createServer({
  root: import.meta.dirname,
  configFile: false,
  logLevel: 'error',
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact' },
  server: { host: '127.0.0.1', port: 0, fs: { allow: ['../..'] }, hmr: false },
  plugins: [
    {
      name: 'report',
      configureServer({ middlewares }) {
        middlewares.use('/report', async (request, response) => {
          const chunks = [];
          for await (const chunk of request) chunks.push(chunk);
          response.end();
          reported(JSON.parse(Buffer.concat(chunks).toString()));
        });
      },
    },
  ],
});
await server.listen();
const profile = await mkdtemp(join(tmpdir(), 'bench-'));
const flags = ['--headless=new', '--window-size=1280,900', '--no-first-run', '--disable-background-networking', `--user-data-dir=${profile}`];
if (process.getuid?.() === 0) flags.push('--no-sandbox'); // root, the user of most containers, cannot have one
const events = process.argv[2] ?? '50000';
const process_ = spawn(browser, [...flags, `http://127.0.0.1:${server.httpServer.address().port}/index.html?events=${events}`], { stdio: 'ignore' });
const failed = new Promise((_, reject) => process_.on('error', reject));
const late = new Promise((_, reject) => setTimeout(reject, 180_000, new Error('the page reported nothing within three minutes')).unref());
try {
  console.log(JSON.stringify(await Promise.race([report, failed, late]), null, 2));
} finally {
  process_.kill();
  await server.close();
  await rm(profile, { recursive: true, force: true, maxRetries: 5 });
}
process.exit();
