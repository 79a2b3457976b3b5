import {mkdtemp, readFile, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {capture} from '../../src/host/process.js'
import {memberLines} from './carried-tree.js'
import type {Scope} from './cli.js'

type ImageDescriptor = {readonly mediaType: string; readonly digest: string; readonly size: number}

/** An image in a file, by its OCI documents. */
export type ImageFile = {
  /** The names in the file, in order. */
  readonly names: readonly string[]
  readonly index: {readonly manifests: readonly (ImageDescriptor & {annotations?: Record<string, string>})[]}
  readonly manifest: {readonly config: ImageDescriptor; readonly layers: readonly ImageDescriptor[]}
  readonly config: {
    readonly created: string
    readonly architecture: string
    readonly config: Record<string, unknown>
    readonly rootfs: {readonly diff_ids: readonly string[]}
    readonly history: readonly {readonly created_by?: string; readonly empty_layer?: boolean}[]
  }
  /** What `docker save` writes beside. */
  readonly docker: readonly {Config: string; RepoTags: string[] | null; Layers: string[]}[]
  /** The members of a layer, in order: path, and all that GNU tar tells of it. */
  layer(index: number): Promise<(readonly [path: string, about: string])[]>
  /** The tree that all layers make, as `listing` has that of a tarball. */
  listing(): Promise<string[]>
}

const WHITEOUT = '.wh.'
const OPAQUE = '.wh..wh..opq'

export async function readImageFile(t: Scope, path: string): Promise<ImageFile> {
  const folder = await mkdtemp(join(tmpdir(), 'envs-image-'))
  t.after(() => rm(folder, {recursive: true, force: true}))
  const {status, stdout, stderr} = await capture(['tar', '-xvf', path, '-C', folder])
  if (status !== 0) throw new Error(stderr)
  const json = async (name: string) => JSON.parse(await readFile(join(folder, name), 'utf8'))
  const blob = (digest: string) => `blobs/${digest.replace(':', '/')}`
  const index: ImageFile['index'] = await json('index.json')
  const manifest: ImageFile['manifest'] = await json(blob(index.manifests[0]?.digest ?? ''))

  async function layer(at: number): Promise<(readonly [string, string])[]> {
    const {digest} = manifest.layers[at] ?? {}
    if (digest === undefined) throw new Error(`${path} has no layer ${at}`)
    return memberLines(join(folder, blob(digest)))
  }

  return {
    names: stdout.trim().split('\n'),
    index,
    manifest,
    config: await json(blob(manifest.config.digest)),
    docker: await json('manifest.json'),
    layer,
    async listing() {
      const tree = new Map<string, string>()
      for (const at of manifest.layers.keys()) apply(tree, await layer(at))
      return [...tree].map(([name, about]) => `${name} ${about}`).sort()
    },
  }
}

/** @see https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts */
function apply(tree: Map<string, string>, members: readonly (readonly [string, string])[]): void {
  const remove = (path: string) => {
    for (const each of [...tree.keys()]) if (each === path || each.startsWith(`${path}/`)) tree.delete(each)
  }
  for (const [path] of members) {
    const cut = path.lastIndexOf('/') + 1
    const [folder, name] = [path.slice(0, cut), path.slice(cut)]
    if (name === OPAQUE) for (const each of [...tree.keys()]) if (each.startsWith(folder)) tree.delete(each)
    if (name.startsWith(WHITEOUT) && name !== OPAQUE) remove(folder + name.slice(WHITEOUT.length))
  }
  for (const [path, about] of members) {
    if (path.split('/').at(-1)?.startsWith(WHITEOUT) === true) continue
    if (!about.startsWith('d')) remove(path)
    else if (tree.get(path)?.startsWith('d') === false) tree.delete(path)
    tree.set(path, about)
  }
}
