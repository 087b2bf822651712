/** What the deployment says about the page: `./config.json`, written by `make serve` and by the deployment of an account. */

export interface Cognito {
  /** Host name of the hosted login, without `https://`. */
  domain: string;
  clientId: string;
  region: string;
}

export interface PageConfig {
  /** Address of the API, without a slash at its end. */
  apiUrl: string;
  signIn: 'api-key' | 'cognito';
  cognito: Cognito | null;
}

/** Read `./config.json`. Throws an `Error` that says what is wrong with it. */
export async function loadConfig(): Promise<PageConfig> {
  const response = await fetch('./config.json', { cache: 'no-cache' });
  if (!response.ok) throw new Error(`config.json: HTTP status ${response.status}`);
  return checkConfig(await response.json(), location.href);
}

/** Return a configuration that can be used, or throw an `Error` that names the wrong field. */
export function checkConfig(document: unknown, pageUrl: string): PageConfig {
  const { apiUrl, signIn = 'api-key', cognito = null } = (document ?? {}) as Partial<PageConfig>;
  if (typeof apiUrl !== 'string' || !URL.canParse(apiUrl, pageUrl))
    throw new Error('config.json: apiUrl is not an address');
  if (signIn !== 'api-key' && signIn !== 'cognito')
    throw new Error('config.json: signIn must be "api-key" or "cognito"');
  if (signIn === 'cognito' && !(cognito?.domain && cognito.clientId)) {
    throw new Error('config.json: signIn "cognito" needs cognito.domain and cognito.clientId');
  }
  return { apiUrl: new URL(apiUrl, pageUrl).href.replace(/\/+$/, ''), signIn, cognito };
}
