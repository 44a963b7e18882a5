// A real OpenID provider for the tests: the certified implementation
// oidc-provider with its own pages for signing in and consent. It listens on a
// free port of the loopback interface, prints its issuer, and ends with its stdin.
//
// The resource that a token is asked for names what is to be wrong with it:
// https://busbar.example/expired and so on; all else is as it should be.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const { REDIRECT_URI, CLIENT_REDIRECT_URI, TENANT } = process.env;
const hour = 3600;

// faults change what a token says before it is signed.
const faults = {
  'wrong-audience': (t) => { t.aud = 'api://somebody-else'; },
  'wrong-issuer': (t) => { t.iss = 'https://other.example'; },
  expired: (t) => { t.iat -= 2 * hour; t.exp = t.iat + hour; },
  'not-yet-valid': (t) => { t.nbf = t.iat + hour; },
  'missing-role': (t) => { t.roles = ['Janitor']; },
  'wrong-tenant': (t) => { t.tid = 'another-tenant'; },
};

function signingKey() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), alg: 'RS256', use: 'sig' };
}

function provider(issuer) {
  return new Provider(issuer, {
    jwks: { keys: [signingKey()] },
    cookies: { keys: [randomUUID()] },
    clients: [
      { client_id: 'busbar-ui', client_secret: 'ui-secret', redirect_uris: [REDIRECT_URI] },
      {
        client_id: 'tool', token_endpoint_auth_method: 'none', redirect_uris: [CLIENT_REDIRECT_URI],
        grant_types: ['authorization_code', 'refresh_token'], application_type: 'native',
      },
      { client_id: 'robot', client_secret: 'robot-secret', grant_types: ['client_credentials'], redirect_uris: [], response_types: [] },
    ],
    conformIdTokenClaims: false,
    claims: { openid: ['sub', 'preferred_username', 'roles', 'tid'], offline_access: [] },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({ sub: id, preferred_username: id, tid: TENANT, roles: id === 'janitor' ? ['Janitor'] : ['Busbar.Operator'] }),
    }),
    extraTokenClaims: (_, token) => ({
      tid: TENANT, ver: '2.0', azp: token.clientId, oid: token.accountId ?? token.clientId, roles: ['Busbar.Operator'],
    }),
    formats: {
      customizers: {
        jwt(_, token, jwt) {
          faults[new URL(token.resourceServer.identifier()).pathname.slice(1)]?.(jwt.payload);
        },
      },
    },
    pkce: { methods: ['S256'], required: (_, client) => client.clientId !== 'robot' },
    issueRefreshToken: (_, client) => client.grantTypeAllowed('refresh_token'),
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({ scope: 'busbar', audience: 'api://busbar', accessTokenFormat: 'jwt', accessTokenTTL: hour, jwt: { sign: { alg: 'RS256' } } }),
      },
    },
    ttl: { AccessToken: hour, ClientCredentials: hour, IdToken: hour, Interaction: hour, Session: hour, Grant: hour, RefreshToken: hour, AuthorizationCode: 60 },
  });
}

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  let handle = provider(issuer).callback();
  server.on('request', (req, res) => {
    if (req.method === 'POST' && req.url === '/rotate') { // begins anew with another key
      handle = provider(issuer).callback();
      res.end();
      return;
    }
    handle(req, res);
  });
  console.log(issuer);
});
process.stdin.on('end', () => process.exit(0)).resume();
