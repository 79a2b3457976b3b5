import {mkdir, writeFile} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import {Readable} from 'node:stream'
import {findProgram} from '../../src/host/host.js'
import type {DownloadEvent} from '../../src/host/http/attempt.js'
import {openRegistry, type Repository} from '../../src/registry/client.js'
import type {RegistryOptions} from '../../src/registry/connection.js'
import {parseRegistryReference} from '../../src/registry/reference.js'
import type {Scope} from './cli.js'
import type {SampleImage} from './oci-image.js'
import {TESTER} from './registry.js'
import {temporaryFolder} from './temporary-folder.js'

export type ClientOptions = {
  readonly actions?: 'pull' | 'pull,push'
  readonly settings?: Partial<RegistryOptions['settings']>
  /** Variables beside HOME and PATH. */
  readonly environment?: Readonly<Record<string, string>>
  /** The home of the user, for the files of credentials. */
  readonly home?: string
  readonly idleMs?: number
  readonly leastPace?: RegistryOptions['leastPace']
  readonly onProgress?: (event: DownloadEvent) => void
}

/** A repository as a user with nothing in the home folder opens it; retries do not wait. */
export async function openAs(t: Scope, name: string, options: ClientOptions = {}): Promise<Repository> {
  const {actions = 'pull', onProgress} = options
  return openRegistry(parseRegistryReference(name), {
    ...(await registryOptions(t, options)),
    actions,
    onProgress,
  })
}

/** The options of a user with nothing in the home folder. */
export async function registryOptions(
  t: Scope,
  {settings, environment = {}, home, idleMs = 10_000, leastPace}: ClientOptions = {},
): Promise<RegistryOptions> {
  const folder = home ?? (await temporaryFolder(t))
  const own = {
    HOME: folder,
    XDG_RUNTIME_DIR: join(folder, 'run'),
    PATH: process.env['PATH'] ?? '',
    ...environment,
  }
  return {
    settings: {mirrors: [], insecure: [], certificates: undefined, ...settings},
    host: {
      environment: own,
      uid: process.getuid?.() ?? 0,
      which: (program) => findProgram(program, own.PATH),
    },
    signal: new AbortController().signal,
    backoffMs: 1,
    idleMs,
    ...(leastPace === undefined ? {} : {leastPace}),
  }
}

/** The text of a file of credentials, by host. */
export function authFileText(auths: Readonly<Record<string, {user: string; password: string}>>): string {
  const entries = Object.entries(auths).map(([host, {user, password}]) => [
    host,
    {auth: Buffer.from(`${user}:${password}`).toString('base64')},
  ])
  return JSON.stringify({auths: Object.fromEntries(entries)})
}

/** A home folder in which `podman login` was run for TESTER. */
export async function homeOfTester(t: Scope, ...hosts: readonly string[]): Promise<string> {
  const home = await temporaryFolder(t)
  await writeHomeFile(
    home,
    '.config/containers/auth.json',
    authFileText(Object.fromEntries(hosts.map((host) => [host, TESTER]))),
  )
  return home
}

export async function writeHomeFile(home: string, path: string, text: string): Promise<string> {
  const file = join(home, path)
  await mkdir(dirname(file), {recursive: true})
  await writeFile(file, text, {mode: 0o600})
  return file
}

/** Pushes blobs, then the manifest under a tag. */
export async function pushImage(repository: Repository, image: SampleImage, tag: string): Promise<void> {
  for (const descriptor of [image.config, ...image.layers]) {
    const bytes = image.blobs.get(descriptor.digest) ?? Buffer.alloc(0)
    await repository.pushBlob(descriptor, () => Readable.from([bytes], {objectMode: false}))
  }
  await repository.pushManifest(image.manifest, image.mediaType, tag)
}
