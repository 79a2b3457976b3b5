import assert from 'node:assert/strict'
import {readdir} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {environmentCli} from '../../support/environment-cli.js'
import {fileScope} from '../../support/file-scope.js'
import {layer, put} from '../../support/image-layers.js'
import {sampleImage} from '../../support/oci-image.js'
import {startRegistry, TESTER} from '../../support/registry.js'
import {authFileText, homeOfTester, openAs, pushImage, writeHomeFile} from '../../support/registry-client.js'
import {runnableMembers} from '../../support/runnable-rootfs.js'
import {waitUntil} from '../../support/wait-until.js'

const scope = fileScope()
const registry = await startRegistry(scope, 'token')
const NAME = `${registry.host}/team/tool:1`
const BASE = layer(...(await runnableMembers()))
const image = sampleImage({layers: [BASE, layer(put('etc/version', '1\n'))]})
const newer = sampleImage({layers: [BASE, layer(put('etc/version', '2\n'))]})
const pusher = await openAs(scope, `${registry.host}/team/tool`, {
  home: await homeOfTester(scope, registry.host),
  settings: {certificates: registry.certificates},
  actions: 'pull,push',
})
await pushImage(pusher, image, '1')

/** Requests of a kind that the registry has answered so far. */
const requests = (method: string, kind: string) =>
  registry
    .log()
    .split('\n')
    .filter(
      (line) =>
        line.includes('msg="response completed"') &&
        line.includes(`http.request.method=${method} `) &&
        line.replaceAll('"', '').includes(`http.request.uri=/v2/team/tool/${kind}/`),
    ).length

test('an image of a registry is verified, shared, and asked for by its digest alone', async (t) => {
  const cli = await environmentCli(t)
  await writeHomeFile(cli.home, '.docker/config.json', authFileText({[registry.host]: TESTER}))
  const ok = async (env: Readonly<Record<string, string>>, ...argv: string[]) => {
    const {status, stdout, stderr} = await cli.runWith({env}, ...argv)
    assert.equal(status, 0, stderr)
    return {stdout, stderr}
  }
  await ok({}, 'config', 'set', 'registries.certificates', registry.certificates)
  await ok({}, 'create', NAME, '-q')
  const {image: made} = JSON.parse((await ok({}, 'show', 'tool-1', '--json')).stdout)
  assert.deepEqual(
    [
      made.trust,
      `sha256:${made.sha256}`,
      made.container.manifest,
      made.container.registry,
      made.container.reference,
    ],
    ['registry', image.digest, image.digest, registry.host, NAME],
  )
  // The configuration and two layers; the log comes by a pipe.
  await waitUntil('the log of the registry', async () => requests('GET', 'blobs') >= 3)
  const before = [requests('GET', 'manifests'), requests('GET', 'blobs'), requests('HEAD', 'manifests')]
  // Within a day, no registry is asked.
  await ok({}, 'create', NAME, '--name', 'again', '-q')
  assert.deepEqual(
    [requests('GET', 'manifests'), requests('GET', 'blobs'), requests('HEAD', 'manifests')],
    before,
  )
  await ok({ENVS_IMAGE_CHECK: 'always'}, 'create', NAME, '--name', 'asked', '-q')
  assert.deepEqual([requests('GET', 'manifests'), requests('GET', 'blobs')], before.slice(0, 2))
  await waitUntil('a question for the digest', async () => requests('HEAD', 'manifests') > (before[2] ?? 0))
  await pushImage(pusher, newer, '1')
  const pulled = JSON.parse((await ok({}, 'image', 'pull', NAME, '--json')).stdout)
  assert.deepEqual([`sha256:${pulled.sha256}`, pulled.wasKept], [newer.digest, false])
  // The layer that both have is there already.
  assert.equal((await readdir(join(cli.data, 'image-layers'))).length, 3)
  await ok({}, 'create', NAME, '--name', 'newer', '-q')
  assert.equal(
    (await ok({}, 'run', 'newer', '--', 'sh', '-c', 'read v </etc/version; echo $v')).stdout,
    '2\n',
  )
  const pinned = `${registry.host}/team/tool@${image.digest}`
  await ok({}, 'create', pinned, '--name', 'old', '-q')
  const old = JSON.parse((await ok({}, 'show', 'old', '--json')).stdout)
  assert.deepEqual([old.image.trust, `sha256:${old.image.sha256}`], ['digest', image.digest])

  await registry.stop()
  const {stderr} = await ok({ENVS_IMAGE_CHECK: 'always'}, 'create', NAME, '--name', 'down', '-q')
  assert.match(stderr, /^envs: warning: .* Used the kept image .*\/team\/tool:1, fetched on /)
  const gone = await cli.run('image', 'pull', NAME, '--json')
  assert.equal(gone.status, 5)

  // A request would find no server, which is another error.
  const quiet = await ok({ENVS_IMAGE_CHECK: 'always'}, 'create', NAME, '--name', 'quiet', '--offline', '-q')
  assert.doesNotMatch(quiet.stderr, /Used the kept image/)
  const there = JSON.parse((await ok({}, 'image', 'pull', NAME, '--offline', '--json')).stdout)
  assert.deepEqual([`sha256:${there.sha256}`, there.wasKept], [newer.digest, true])
  const absent = await cli.run('create', `${registry.host}/team/tool:2`, '--offline', '--json')
  assert.deepEqual([absent.status, JSON.parse(absent.stdout).error.code], [3, 'ENVS_OFFLINE'])

  // The variable alone is the same as the flag.
  const offline = {ENVS_OFFLINE: '1'}
  await ok({...offline, ENVS_IMAGE_CHECK: 'always'}, 'create', NAME, '--name', 'variable', '-q')
  const none = await cli.runWith({env: offline}, 'create', `${registry.host}/team/tool:2`, '--json')
  assert.deepEqual([none.status, JSON.parse(none.stdout).error.code], [3, 'ENVS_OFFLINE'])
})
