// node-vault, a client from the registry, against a server that nobody has initialised: VAULT_ADDR says where.
// Each step prints a line; the first surprise ends the program with exit code 1.
'use strict';

const assert = require('node:assert/strict');
const vault = require('node-vault');

const POLICY = 'path "secret/data/app/*" { capabilities = ["read"] }';
const client = (token) => vault({ endpoint: process.env.VAULT_ADDR, token });

const ok = (what) => console.log(`ok: ${what}`);

/** Expects a refusal with this status. */
async function refused(promise, status, what) {
  const error = await promise.then(() => null, (e) => e);
  assert.equal(error?.response?.statusCode, status, `${what}: ${error}`);
  ok(what);
}

async function initAndUnseal() {
  const nobody = client();
  assert.equal((await nobody.initialized()).initialized, false);
  const keys = await nobody.init({ secret_shares: 3, secret_threshold: 2 });
  assert.equal(keys.keys.length, 3);
  ok('init gives three shares');
  const half = await nobody.unseal({ key: keys.keys[0] });
  assert.ok(half.sealed && half.progress === 1 && half.t === 2);
  ok('one share is not enough');
  const whole = await nobody.unseal({ key: keys.keys_base64[2] });
  assert.equal(whole.sealed, false);
  assert.ok(!(await nobody.health()).sealed && !(await nobody.status()).sealed);
  ok('two shares unseal');
  const root = client(keys.root_token);
  assert.deepEqual((await root.tokenLookupSelf()).data.policies, ['root']);
  ok('the root token is known');
  return root;
}

async function keysAndValues(root) {
  await root.mount({ mount_point: 'secret', type: 'kv', options: { version: '2' } });
  assert.equal((await root.mounts())['secret/'].type, 'kv');
  const written = await root.write('secret/data/app/first', { data: { motto: 'nobody has opened it' } });
  assert.equal(written.data.version, 1);
  ok('the first version is written');
  assert.equal((await root.read('secret/data/app/first')).data.data.motto, 'nobody has opened it');
  assert.deepEqual((await root.list('secret/metadata/app')).data.keys, ['first']);
  ok('it is read and listed');
  await root.delete('secret/data/app/first');
  await refused(root.read('secret/data/app/first'), 404, 'a deleted version is not read');
  await root.write('secret/undelete/app/first', { versions: [1] });
  assert.equal((await root.read('secret/data/app/first')).data.data.motto, 'nobody has opened it');
  ok('and read again when it is undeleted');
}

async function wrapping(root) {
  const wrapped = await root.read('secret/data/app/first', { headers: { 'X-Vault-Wrap-TTL': '5m' } });
  assert.equal(wrapped.wrap_info.ttl, 300);
  const inside = await client(wrapped.wrap_info.token).unwrap();
  assert.equal(inside.data.data.motto, 'nobody has opened it');
  ok('an answer is wrapped and unwrapped');
  // The token is used up, so it is unknown when it is also what the request is made with.
  await refused(client(wrapped.wrap_info.token).unwrap(), 400, 'once only');
}

async function policies(root) {
  await root.addPolicy({ name: 'app', policy: POLICY });
  const read = await root.getPolicy({ name: 'app' });
  assert.equal(read.rules ?? read.data.rules, POLICY);
  assert.ok((await root.policies()).policies.includes('app'));
  ok('a policy is read as it was written');
  // The library lets a client take over the token it creates.
  const limited = client((await client(root.token).tokenCreate({ policies: ['app'], ttl: '10m' })).auth.client_token);
  await limited.read('secret/data/app/first');
  ok('a limited token reads what its policy allows');
  await refused(limited.read('secret/data/other'), 403, 'and nothing else');
  await refused(limited.write('secret/data/app/first', { data: { motto: 'mine' } }), 403, 'nor does it write');
  await limited.tokenRevokeSelf();
  await refused(limited.tokenLookupSelf(), 403, 'a revoked token is unknown');
}

async function logins(root) {
  const enabled = await root.enableAuth({ mount_point: 'userpass', type: 'userpass' }).then(() => true, (error) => {
    assert.equal(error.response?.statusCode, 400, String(error));
    return false;
  });
  if (!enabled) return console.log('skip: the server has no userpass');
  await root.write('auth/userpass/users/newton', { password: 'a word', token_policies: ['app'] });
  const wrong = client().userpassLogin({ username: 'newton', password: 'another word' });
  await refused(wrong, 400, 'a wrong password is refused');
  const login = await client().userpassLogin({ username: 'newton', password: 'a word' });
  assert.deepEqual(login.auth.policies, ['app', 'default']);
  ok("a login gives a token with the user's policies");
  await client(login.auth.client_token).read('secret/data/app/first');
  ok('and it reads');
}

async function seal(root) {
  await root.seal();
  assert.equal((await root.status()).sealed, true);
  ok('it is sealed');
  await refused(root.read('secret/data/app/first'), 503, 'and tells nothing');
}

(async () => {
  const root = await initAndUnseal();
  for (const step of [keysAndValues, wrapping, policies, logins, seal]) await step(root);
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
