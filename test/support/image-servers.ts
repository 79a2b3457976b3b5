import {createHash} from 'node:crypto'
import {realpathSync, statSync} from 'node:fs'
import {mkdir, readdir, readFile, symlink, writeFile} from 'node:fs/promises'
import type {IncomingMessage, RequestListener, ServerResponse} from 'node:http'
import {dirname, join} from 'node:path'
import type {ScopedKeyring} from '../../src/images/signature/keyring.js'
import type {Scope} from './cli.js'
import {answerWithFile, startServer, type TestServer} from './http-server.js'
import {keyringsText} from './scoped-keyrings.js'
import {makeSigner, type Signer} from './signer.js'
import {temporaryFolder} from './temporary-folder.js'

/**
 * Publishers of images on one real server: folders laid out, linked, listed and signed as theirs are, by a key
 * that was made for the test.
 */
export type ImageServers = {
  readonly server: TestServer
  readonly mirrors: {readonly ubuntuBase: string; readonly ubuntuCloud: string; readonly lxc: string}
  /** What is served; a test may change it. */
  readonly folder: string
  readonly signer: Signer
  /** Path of its public key. */
  readonly keyring: string
  /** The same, for what is served here. */
  readonly keyrings: readonly ScopedKeyring[]
  /** The variables that lead the program here. */
  readonly variables: Readonly<Record<string, string>>
  /** Serves other bytes, so many times, in place of the file at `path`. */
  replaceOnce(path: string, body: Buffer, times?: number): void
  /** Has the next request for `path` answered otherwise. */
  answerOnce(path: string, answer: RequestListener): void
}

type Options = {readonly signer?: Signer}

export async function startImageServers(t: Scope, options: Options = {}): Promise<ImageServers> {
  const parent = await temporaryFolder(t)
  const folder = join(parent, 'served')
  await mkdir(folder)
  const signer = options.signer ?? (await makeSigner())
  const keyring = join(parent, 'publisher.asc')
  await writeFile(keyring, signer.publicKey)
  const replacements = new Map<string, Buffer[]>()
  const answers = new Map<string, RequestListener>()
  const server = await startServer(t, (request, response) => {
    const answer = answers.get(request.url ?? '')
    answers.delete(request.url ?? '')
    if (answer !== undefined) answer(request, response)
    else void serve(folder, replacements, request, response)
  })
  const keyrings = [{below: server.origin.origin, path: keyring}]
  const mirror = (name: string) => new URL(name, server.origin).href
  const mirrors = {ubuntuBase: mirror('ubuntu-base'), ubuntuCloud: mirror('cloud-images'), lxc: mirror('lxc')}
  return {
    server,
    mirrors,
    folder,
    signer,
    keyring,
    keyrings,
    variables: {
      ENVS_MIRROR_UBUNTU_BASE: mirrors.ubuntuBase,
      ENVS_MIRROR_UBUNTU_CLOUD: mirrors.ubuntuCloud,
      ENVS_MIRROR_LXC: mirrors.lxc,
      ENVS_KEYRINGS: keyringsText(keyrings),
    },
    replaceOnce: (path, body, times = 1) => {
      replacements.set(
        `/${path}`,
        Array.from({length: times}, () => body),
      )
    },
    answerOnce: (path, answer) => {
      answers.set(`/${path}`, answer)
    },
  }
}

/** Files by name: what is published in one folder. */
export type Files = Readonly<Record<string, Buffer>>

type Signing = {readonly date?: Date; readonly signer?: Signer}

/**
 * `ubuntu-base/releases/<suite>/release/`, reached by version and point release as well; the listing covers all that
 * is there.
 */
export async function publishUbuntuBase(
  servers: ImageServers,
  {
    suite,
    version,
    files,
    links = [],
    ...signing
  }: {suite: string; version: string; files: Files; links?: string[]} & Signing,
): Promise<void> {
  const folder = `ubuntu-base/releases/${suite}/release`
  await publishFolder(servers, {folder, files, ...signing})
  for (const link of [version, ...links]) {
    await symlink(suite, join(servers.folder, `ubuntu-base/releases/${link}`)).catch(() => {})
  }
}

/** `<root>/<serial>/` and, led to by a link, `<root>/current/`, as dailies lie on all servers of Ubuntu. */
export async function publishDaily(
  servers: ImageServers,
  {root, serial, files, ...signing}: {root: string; serial: string; files: Files} & Signing,
): Promise<void> {
  await publishFolder(servers, {folder: `${root}/${serial}`, files, ...signing})
  await symlink(serial, join(servers.folder, root, 'current'))
}

/** `<root>/<suite>/release-<serial>/` and, led to by a link, `release/`, as releases lie on cloud-images. */
export async function publishCloudRelease(
  servers: ImageServers,
  {
    root,
    suite,
    serial,
    files,
    ...signing
  }: {root: string; suite: string; serial: string; files: Files} & Signing,
): Promise<void> {
  await publishFolder(servers, {folder: `${root}/${suite}/release-${serial}`, files, ...signing})
  await symlink(`release-${serial}`, join(servers.folder, root, suite, 'release'))
}

/** `streams/v1/` below `root`: an index and a file of products, clearsigned. */
export async function publishStream(
  servers: ImageServers,
  {root, products}: {root: string; products: Readonly<Record<string, unknown>>},
): Promise<void> {
  const path = 'streams/v1/com.ubuntu.cloud:released:download.sjson'
  const index = {
    format: 'index:1.0',
    index: {
      'com.ubuntu.cloud:released:aws': {datatype: 'image-ids', path: 'streams/v1/aws.sjson'},
      'com.ubuntu.cloud:released:download': {datatype: 'image-downloads', path},
    },
  }
  const body = {format: 'products:1.0', datatype: 'image-downloads', products}
  const {signer} = servers
  await write(servers, `${root}/streams/v1/index.sjson`, await signer.clearsigned(JSON.stringify(index)))
  await write(servers, `${root}/${path}`, await signer.clearsigned(JSON.stringify(body)))
}

/** One build of images.linuxcontainers.org; the index is written anew with all that are there. */
export async function publishLxc(
  servers: ImageServers,
  {image, serial, files, ...signing}: {image: string; serial: string; files: Files} & Signing,
): Promise<void> {
  await publishFolder(servers, {
    folder: `lxc/images/${image}/${serial}`,
    files,
    suffix: '.asc',
    separator: '  ',
    ...signing,
  })
  const previous = await readFile(join(servers.folder, 'lxc/meta/1.0/index-system'), 'utf8').catch(() => '')
  const others = previous
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith(image.replaceAll('/', ';')))
  const line = `${image.replaceAll('/', ';')};${serial};/images/${image}/${serial}/`
  const index = Buffer.from(`${[...others, line].sort().join('\n')}\n`)
  await write(servers, 'lxc/meta/1.0/index-system', index)
  await write(servers, 'lxc/meta/1.0/index-system.asc', await servers.signer.detached(index))
}

/** Lays files into a folder with SHA256SUMS and its signature over all that lies there. */
async function publishFolder(
  servers: ImageServers,
  {
    folder,
    files,
    suffix = '.gpg',
    separator = ' *',
    date,
    signer = servers.signer,
  }: {folder: string; files: Files; suffix?: string; separator?: string} & Signing,
): Promise<void> {
  for (const [name, body] of Object.entries(files)) await write(servers, `${folder}/${name}`, body)
  const names = (await readdir(join(servers.folder, folder))).filter((name) => !name.startsWith('SHA256SUMS'))
  const lines = await Promise.all(
    names.sort().map(async (name) => {
      const body = await readFile(join(servers.folder, folder, name))
      return `${createHash('sha256').update(body).digest('hex')}${separator}${name}\n`
    }),
  )
  const listing = Buffer.from(lines.join(''))
  await write(servers, `${folder}/SHA256SUMS`, listing)
  const signature = await signer.detached(listing, date === undefined ? {} : {date})
  await write(servers, `${folder}/SHA256SUMS${suffix}`, signature)
}

async function write({folder}: ImageServers, path: string, body: Buffer): Promise<void> {
  await mkdir(dirname(join(folder, path)), {recursive: true})
  await writeFile(join(folder, path), body)
}

async function serve(
  folder: string,
  replacements: Map<string, Buffer[]>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname)
  const body = replacements.get(path)?.shift() ?? (await readServed(folder, path))
  if (body === undefined) {
    response.writeHead(404).end('not found')
    return
  }
  const etag = `"${createHash('sha256').update(body).digest('hex').slice(0, 16)}"`
  if (request.headers['if-none-match'] === etag) response.writeHead(304, {etag}).end()
  else answerWithFile(request, response, {body, headers: {etag}})
}

/** Follows links, as the publishers' servers do, but not out of the folder. */
async function readServed(folder: string, path: string): Promise<Buffer | undefined> {
  try {
    const real = realpathSync(join(folder, path))
    if (!real.startsWith(realpathSync(folder)) || !statSync(real).isFile()) return undefined
    return await readFile(real)
  } catch {
    return undefined
  }
}
