import assert from 'node:assert/strict'
import {writeFile} from 'node:fs/promises'
import type {RequestListener} from 'node:http'
import {join} from 'node:path'
import type {ScopedKeyring} from '../../src/images/signature/keyring.js'
import {
  type ArchivePackage,
  layoutOf,
  type Pocket,
  type Publication,
  pocketFiles,
  sha256Of,
} from './archive-pocket.js'
import type {Scope} from './cli.js'
import {answerWithFile, startServer, type TestServer} from './http-server.js'
import {keyringsText} from './scoped-keyrings.js'
import {makeSigner, type Signer} from './signer.js'
import {temporaryFolder} from './temporary-folder.js'

type Options = {
  readonly distribution: 'debian' | 'ubuntu'
  readonly suite: string
  /** `amd64`; others of Ubuntu are published as ports. */
  readonly architecture?: string
  readonly components?: readonly string[]
  /** Of the release. */
  readonly packages: readonly ArchivePackage[]
  /** Pockets that are there: all, where it is left out. Their packages. */
  readonly updates?: readonly ArchivePackage[] | undefined
  readonly security?: readonly ArchivePackage[] | undefined
  readonly signer?: Signer
}

export type Archive = {
  readonly server: TestServer
  readonly signer: Signer
  /** Has its public key, for what it serves. */
  readonly keyrings: readonly ScopedKeyring[]
  readonly mirrors: {
    readonly debian: string | undefined
    readonly debianSecurity: string | undefined
    readonly ubuntu: string | undefined
  }
  /** The variables that lead the program here. */
  readonly variables: Readonly<Record<string, string>>
  /** Puts a pocket there, in place of what it was. */
  publish(pocket: Pocket, publication: Publication): Promise<void>
  /** Takes a pocket away: 404. */
  withdraw(pocket: Pocket): void
  /** The folder of a pocket's Release: `debian/dists/trixie`. */
  folderOf(pocket: Pocket): string
  /** Paths of what is served, of which a test may replace or take away some. */
  readonly files: Map<string, Buffer>
  /** Has the next requests for a path answered otherwise, one by each. */
  answerNext(path: string, ...answers: RequestListener[]): void
  /** From now on no request is answered: the connection breaks. */
  cut(): void
  /** Paths that were asked for so far, in the order they came. */
  requested(): string[]
}

/**
 * Debian's or Ubuntu's package archive, on a real server: pockets, components, indices and packages laid out, compressed
 * and signed as theirs are, by a key that was made for the test.
 */
export async function openArchive(t: Scope, options: Options): Promise<Archive> {
  const {distribution, architecture = 'amd64'} = options
  const signer = options.signer ?? (await makeSigner())
  const path = join(await temporaryFolder(t), 'archive.asc')
  await writeFile(path, signer.publicKey)
  const files = new Map<string, Buffer>()
  const answers = new Map<string, RequestListener[]>()
  let isCut = false
  const server = await startServer(t, (request, response) => {
    if (isCut) return void request.destroy()
    const path = decodeURIComponent((request.url ?? '/').slice(1))
    const answer = answers.get(path)?.shift()
    if (answer !== undefined) return void answer(request, response)
    const body = files.get(path)
    if (body === undefined) return void response.writeHead(404).end('not found')
    const etag = `"${sha256Of(body).slice(0, 16)}"`
    if (request.headers['if-none-match'] === etag) return void response.writeHead(304, {etag}).end()
    return answerWithFile(request, response, {body, headers: {etag}})
  })
  const keyrings = [{below: server.origin.origin, path}]
  const layout = layoutOf(distribution, options.suite, architecture)
  const url = (folder: string) => new URL(folder, server.origin).href
  const mirrors = {
    debian: distribution === 'debian' ? url('debian') : undefined,
    debianSecurity: distribution === 'debian' ? url('debian-security') : undefined,
    ubuntu: distribution === 'ubuntu' ? url(layout.release.root) : undefined,
  }
  const archive: Archive = {
    server,
    signer,
    keyrings,
    mirrors,
    variables: {
      ...(mirrors.debian === undefined ? {} : {ENVS_MIRROR_DEBIAN_ARCHIVE: mirrors.debian}),
      ...(mirrors.debianSecurity === undefined ? {} : {ENVS_MIRROR_DEBIAN_SECURITY: mirrors.debianSecurity}),
      ...(mirrors.ubuntu === undefined ? {} : {ENVS_MIRROR_UBUNTU_ARCHIVE: mirrors.ubuntu}),
      ENVS_KEYRINGS: keyringsText(keyrings),
    },
    async publish(pocket, publication) {
      const {components = ['main']} = options
      const own = await pocketFiles(layout[pocket], {signer, components, architecture, ...publication})
      for (const [path, body] of own) files.set(path, body)
    },
    withdraw(pocket) {
      for (const path of files.keys()) if (path.startsWith(`${this.folderOf(pocket)}/`)) files.delete(path)
    },
    folderOf: (pocket) => `${layout[pocket].root}/dists/${layout[pocket].suite}`,
    files,
    answerNext: (path, ...next) => {
      answers.set(path, [...(answers.get(path) ?? []), ...next])
    },
    cut: () => {
      isCut = true
    },
    requested: () => server.seen.map(({target}) => decodeURIComponent((target ?? '').slice(1))),
  }
  await archive.publish('release', {packages: options.packages})
  if (!('updates' in options) || options.updates !== undefined) {
    await archive.publish('updates', {packages: options.updates ?? []})
  }
  if (!('security' in options) || options.security !== undefined) {
    await archive.publish('security', {packages: options.security ?? []})
  }
  return archive
}

/** The path of a file of the archive by a part of it. */
export function pathWith({files}: Archive, part: string): string {
  const found = [...files.keys()].find((path) => path.includes(part))
  assert.ok(found, part)
  return found
}
