import assert from 'node:assert/strict'
import {chmod, readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {type Credentials, findCredentials} from '../../../src/registry/access/credentials.js'
import {authFileText, registryOptions, writeHomeFile} from '../../support/registry-client.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

type Files = Readonly<Record<string, string>>

/** Looks up the credentials of a user whose home folder has these files. */
async function lookUp(
  t: TestContext,
  name: string,
  {files, environment = {}, home}: {files: Files; environment?: Files; home?: string},
): Promise<Credentials | undefined> {
  const folder = home ?? (await temporaryFolder(t))
  for (const [path, text] of Object.entries(files)) await writeHomeFile(folder, path, text)
  const {host, signal} = await registryOptions(t, {home: folder, environment})
  const [registry = '', ...repository] = name.split('/')
  return findCredentials({host: registry, repository: repository.join('/'), signal}, host)
}

async function userOf(...parameters: Parameters<typeof lookUp>): Promise<string | undefined> {
  const found = await lookUp(...parameters)
  return found?.kind === 'password' ? `${found.user}:${found.password}` : found?.kind
}

const auth = (auths: Readonly<Record<string, string>>) =>
  authFileText(
    Object.fromEntries(
      Object.entries(auths).map(([key, user]) => [key, {user, password: 'secret:with:colons'}]),
    ),
  )

for (const [title, files, user] of [
  ['nothing', {}, undefined],
  ["podman's file", {'.config/containers/auth.json': auth({'r.example': 'podman'})}, 'podman'],
  ["Docker's file", {'.docker/config.json': auth({'https://r.example/v1/': 'docker'})}, 'docker'],
  [
    'the file of the session first',
    {
      'run/containers/auth.json': auth({'r.example': 'session'}),
      '.config/containers/auth.json': auth({'r.example': 'podman'}),
    },
    'session',
  ],
  [
    'the first file that knows the registry',
    {
      'run/containers/auth.json': auth({'other.example': 'session'}),
      '.docker/config.json': auth({'r.example': 'docker'}),
    },
    'docker',
  ],
  [
    'the longest key',
    {
      '.config/containers/auth.json': auth({
        'r.example': 'host',
        'r.example/team': 'team',
        'r.example/team/app': 'app',
        'r.example/team/app/other': 'other',
        'r.example/te': 'part of a name',
      }),
    },
    'app',
  ],
] as const) {
  test(`credentials: ${title}`, async (t) => {
    const found = await userOf(t, 'r.example/team/app', {files})
    assert.equal(found, user === undefined ? undefined : `${user}:secret:with:colons`)
  })
}

test('Docker Hub is found under its name of old, and under its own', async (t) => {
  const docker = {'.docker/config.json': auth({'https://index.docker.io/v1/': 'docker'})}
  assert.equal(await userOf(t, 'docker.io/library/debian', {files: docker}), 'docker:secret:with:colons')
  const podman = {'.config/containers/auth.json': auth({'docker.io': 'podman'})}
  assert.equal(await userOf(t, 'docker.io/library/debian', {files: podman}), 'podman:secret:with:colons')
})

test('REGISTRY_AUTH_FILE is the only file if it is set, and has to be there', async (t) => {
  const home = await temporaryFolder(t)
  const own = join(home, 'own.json')
  const files = {'own.json': auth({'r.example': 'own'}), '.docker/config.json': auth({'s.example': 'docker'})}
  const environment = {REGISTRY_AUTH_FILE: own}
  assert.equal(await userOf(t, 'r.example/x', {files, environment, home}), 'own:secret:with:colons')
  assert.equal(await userOf(t, 's.example/x', {files, environment, home}), undefined)
  await assert.rejects(userOf(t, 'r.example/x', {files: {}, environment: {REGISTRY_AUTH_FILE: '/nowhere'}}), {
    code: 'ENVS_CREDENTIALS_UNREADABLE',
    exitCode: 7,
    message: 'Could not read the credentials in "/nowhere": no such file or directory.',
  })
})

test('tokens in a file', async (t) => {
  const auths = {'r.example': {identitytoken: 'i'}, 's.example': {registrytoken: 'b'}, 't.example': {}}
  const files = {'.docker/config.json': JSON.stringify({auths})}
  assert.equal(await userOf(t, 'r.example/x', {files}), 'identity')
  assert.equal(await userOf(t, 's.example/x', {files}), 'bearer')
  assert.equal(await userOf(t, 't.example/x', {files}), undefined)
})

test('a file that is not JSON is named, without its text', async (t) => {
  const home = await temporaryFolder(t)
  const files = {'.docker/config.json': '{"auths": secret'}
  await assert.rejects(lookUp(t, 'r.example/x', {files, home}), {
    message: `Could not read the credentials in "${home}/.docker/config.json": it is not a JSON file of credentials.`,
  })
})

/** A user with a credential helper, a shell script that has its arguments and its input in files. */
async function homeWithHelper(t: TestContext, script: string, config: object) {
  const home = await temporaryFolder(t)
  await writeHomeFile(home, '.docker/config.json', JSON.stringify(config))
  const text = `#!/bin/sh\necho "$@" >>${home}/arguments\ncat >>${home}/input\n${script}\n`
  const program = await writeHomeFile(home, 'bin/docker-credential-test', text)
  await chmod(program, 0o700)
  return {home, environment: {PATH: `${join(home, 'bin')}:/usr/bin:/bin`}, files: {}}
}

const GIVES = `echo '{"ServerURL":"r.example","Username":"helped","Secret":"s3cret"}'`

for (const [title, config, server] of [
  ['of one registry', {credHelpers: {'r.example': 'test'}}, 'r.example'],
  ['of all registries', {credsStore: 'test', auths: {'r.example': {}}}, 'r.example'],
] as const) {
  test(`a helper ${title} is asked by its standard input`, async (t) => {
    const user = await homeWithHelper(t, GIVES, config)
    assert.equal(await userOf(t, 'r.example/x', user), 'helped:s3cret')
    assert.equal(await readFile(join(user.home, 'arguments'), 'utf8'), 'get\n')
    assert.equal(await readFile(join(user.home, 'input'), 'utf8'), server)
  })
}

test('a helper may give a token', async (t) => {
  const script = `echo '{"Username":"<token>","Secret":"s3cret"}'`
  const user = await homeWithHelper(t, script, {credHelpers: {'r.example': 'test'}})
  assert.equal(await userOf(t, 'r.example/x', user), 'identity')
})

test('a helper that knows nothing is no failure', async (t) => {
  const script = 'echo credentials not found in native keychain; exit 1'
  const user = await homeWithHelper(t, script, {credsStore: 'test'})
  assert.equal(await userOf(t, 'r.example/x', user), undefined)
})

for (const [title, script, reason] of [
  ['fails', 'echo s3cret; exit 3', 'it ended with status 3'],
  ['talks', 'echo s3cret', 'its answer is not JSON with Username and Secret'],
] as const) {
  test(`a helper that ${title} is named, without its words`, async (t) => {
    const user = await homeWithHelper(t, script, {credHelpers: {'r.example': 'test'}})
    const config = join(user.home, '.docker/config.json')
    await assert.rejects(lookUp(t, 'r.example/x', user), {
      code: 'ENVS_CREDENTIAL_HELPER',
      exitCode: 7,
      message: `Could not get the credentials of r.example from docker-credential-test, which "${config}" names: ${reason}.`,
    })
  })
}

for (const name of ['missing', '../bin/sh']) {
  test(`a helper ${name} is not in the PATH`, async (t) => {
    const user = await homeWithHelper(t, GIVES, {credHelpers: {'r.example': name}})
    await assert.rejects(lookUp(t, 'r.example/x', user), {
      code: 'ENVS_CREDENTIAL_HELPER',
      message: / names: it is not in the PATH\.$/,
    })
  })
}
