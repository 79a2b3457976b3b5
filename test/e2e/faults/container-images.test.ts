import assert from 'node:assert/strict'
import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {statSync} from 'node:fs'
import {readdir, writeFile} from 'node:fs/promises'
import type {IncomingMessage, ServerResponse} from 'node:http'
import {join} from 'node:path'
import {gzipSync} from 'node:zlib'
import {type Ran, sandboxedCli} from '../../support/cli.js'
import {noise} from '../../support/compressed.js'
import {environmentCli} from '../../support/environment-cli.js'
import {answerWithFile, startServer} from '../../support/http-server.js'
import {layer, put} from '../../support/image-layers.js'
import {sampleImage} from '../../support/oci-image.js'
import {smallDisk} from '../../support/small-disk.js'
import {layeredTest as test} from '../../support/stacked-layers.js'
import {storeState} from '../../support/store-state.js'
import {waitUntil} from '../../support/wait-until.js'

const CONTENT = noise(2_000_000)
const IMAGE = sampleImage({
  layers: [layer(put('etc/os-release', 'ID=tiny\n'), put('big', CONTENT.toString('latin1')))],
})

/** Serves the image as `team/tool:1`. @param onBlob - Answers for a blob in place of the server, if it returns true. */
function serveImage(onBlob: (request: IncomingMessage, response: ServerResponse, body: Buffer) => boolean) {
  return (request: IncomingMessage, response: ServerResponse) => {
    const name = request.url?.split('/').at(-1) ?? ''
    const blob = [...IMAGE.blobs].find(([digest]) => digest === name)
    if (request.url?.includes('/manifests/'))
      response.writeHead(200, {'content-type': IMAGE.mediaType}).end(IMAGE.manifest)
    else if (blob === undefined) response.writeHead(404).end()
    else if (!onBlob(request, response, blob[1])) answerWithFile(request, response, {body: blob[1]})
  }
}

test('an image of a registry on a full disk is refused, and made when there is room', async (t) => {
  const server = await startServer(
    t,
    serveImage(() => false),
  )
  const disk = await smallDisk(t, {megabytes: 12})
  const cli = await sandboxedCli(t, disk.behind, {
    XDG_DATA_HOME: disk.folder,
    ENVS_REGISTRIES_INSECURE: server.origin.host,
  })
  const argv = [
    'create',
    `${server.origin.host}/team/tool:1`,
    '-n',
    'new',
    '--identity',
    'emulated',
    '--json',
  ]
  // No room for the download; some for half of it; room for it, and not for the layer beside it.
  for (const pages of [0, 250, 600]) {
    disk.leave(pages)
    assertFull(await cli.run(...argv), `${pages} pages`)
    const {environments, leftovers} = storeState(join(disk.outside, 'envs'))
    assert.deepEqual([environments, leftovers.filter((path) => !path.startsWith('images/'))], [{}, []])
  }
  disk.free()
  const made = await cli.run(...argv)
  assert.equal(made.status, 0, made.stdout)
  assert.deepEqual(storeState(join(disk.outside, 'envs')).leftovers, [])
})

test('a saved image that unpacks to more than half of the free space is refused', async (t) => {
  const disk = await smallDisk(t, {megabytes: 12})
  const cli = await sandboxedCli(t, disk.behind, {XDG_DATA_HOME: disk.folder, XDG_CACHE_HOME: disk.folder})
  const saved = join(cli.home, 'saved.tar.gz')
  await writeFile(
    saved,
    gzipSync(layer(put('oci-layout', '{}'), put('blobs/sha256/x', '\0'.repeat(8_000_000)))),
  )
  const {status, stdout} = await cli.run('create', `oci-archive:${saved}`, '-n', 'new', '--json')
  assert.deepEqual([status, JSON.parse(stdout).error.code], [8, 'ENVS_IMAGE_FILE_TOO_LARGE'])
  assert.deepEqual(
    (await readdir(join(disk.outside, 'envs'))).filter((name) => name.startsWith('.archive')),
    [],
  )
})

test('a killed download of a layer is continued, and the layer unpacked from its first byte', async (t) => {
  const half = 1_000_000
  let isSlow = true
  const ranges: (string | undefined)[] = []
  const server = await startServer(
    t,
    serveImage((request, response, body) => {
      if (body.length < half) return false
      ranges.push(request.headers.range)
      if (!isSlow) return false
      response.writeHead(200, {'content-length': body.length}).write(body.subarray(0, half))
      return true
    }),
  )
  const cli = await environmentCli(t, {ENVS_REGISTRIES_INSECURE: server.origin.host})
  const argv = [
    'create',
    `${server.origin.host}/team/tool:1`,
    '-n',
    'new',
    '--identity',
    'emulated',
    '--json',
  ]
  const [program, ...words] = cli.words
  const child = spawn(program, [...words, ...argv], {env: cli.env, stdio: 'ignore'})
  await waitUntil('half of the layer', async () => (await sizeOfPart(join(cli.data, 'images'))) === half)
  child.kill('SIGKILL')
  await once(child, 'exit')
  isSlow = false
  const made = await cli.run(...argv)
  assert.equal(made.status, 0, made.stdout)
  assert.deepEqual(ranges, [undefined, `bytes=${half}-`])
  assert.deepEqual(storeState(cli.data).leftovers, [])
})

async function sizeOfPart(folder: string): Promise<number> {
  const names = await readdir(folder, {recursive: true}).catch(() => [])
  const parts = names.filter((name) => name.endsWith('/archive'))
  return parts.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
}

function assertFull({status, stdout}: Ran, when: string): void {
  assert.equal(status, 8, `${when}: ${stdout}`)
  const {code, suggestions} = JSON.parse(stdout).error
  assert.match(code, /^ENVS_(NO_SPACE|STORAGE_FULL)$/)
  assert.match(suggestions.join(), /Free some space/)
}
