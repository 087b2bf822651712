import { defineConfig } from 'vite';

// `npm run dev` answers ./config.json itself, for a service that runs already: ANEMONEFISH_API_URL=http://127.0.0.1:... npm run dev
const apiUrl = process.env.ANEMONEFISH_API_URL;

export default defineConfig({
  base: './', // the page may lie in any folder of its host
  build: {
    outDir: '../.build/web',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0, // the Content-Security-Policy allows scripts and styles from files only
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  server: { fs: { allow: ['..'] } }, // the API's client is in clients/javascript
  plugins: [
    {
      name: 'config-of-a-running-service',
      configureServer(server) {
        server.middlewares.use('/config.json', (_, response) => {
          response.setHeader('content-type', 'application/json');
          response.end(JSON.stringify({ apiUrl, signIn: 'api-key', cognito: null }));
        });
      },
    },
  ],
});
