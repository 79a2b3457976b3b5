import {execFileSync} from 'node:child_process'
import {createHash} from 'node:crypto'
import {mkdir, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {gzipSync} from 'node:zlib'

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
const INDEX = 'application/vnd.oci.image.index.v1+json'
const LAYER = 'application/vnd.oci.image.layer.v1.tar'

/** How the layers are stored; the names are the suffixes of media types. */
export type LayerForm = 'gzip' | 'zstd' | 'none'

export type TestImage = {
  /** Uncompressed, the lowest first. */
  readonly layers: readonly Buffer[]
  /** The part `config` of the configuration: Env, WorkingDir and others. */
  readonly config?: Readonly<Record<string, unknown>>
  readonly architecture?: string
  readonly form?: LayerForm
  /** In place of those of the layers. */
  readonly diffIds?: readonly string[]
}

type TestDescriptor = {readonly mediaType: string; readonly digest: string; readonly size: number}

/** An OCI layout in a folder, and its parts, for tests that damage one of them. */
export type TestLayout = {
  readonly folder: string
  /** Digest of the manifest of each image, by its tag. */
  readonly manifests: Readonly<Record<string, string>>
  blobPath(digest: string): string
}

/** Writes images as an OCI layout, each under its tag; several platforms of one tag become an index. */
export async function writeLayout(
  folder: string,
  images: Readonly<Record<string, TestImage | readonly TestImage[]>>,
): Promise<TestLayout> {
  const blobs = join(folder, 'blobs/sha256')
  await mkdir(blobs, {recursive: true})
  const put = async (bytes: Buffer, mediaType: string): Promise<TestDescriptor> => {
    const hex = createHash('sha256').update(bytes).digest('hex')
    await writeFile(join(blobs, hex), bytes)
    return {mediaType, digest: `sha256:${hex}`, size: bytes.length}
  }
  const manifests: Record<string, string> = {}
  const entries: object[] = []
  for (const [tag, image] of Object.entries(images)) {
    const own: (TestDescriptor & {platform: object})[] = []
    for (const each of [image].flat()) own.push(await putImage(each, put))
    const [only] = own
    const top =
      own.length === 1 && only !== undefined
        ? only
        : await put(json({schemaVersion: 2, mediaType: INDEX, manifests: own}), INDEX)
    manifests[tag] = top.digest
    entries.push({...top, annotations: {'org.opencontainers.image.ref.name': tag}})
  }
  await writeFile(join(folder, 'oci-layout'), '{"imageLayoutVersion": "1.0.0"}')
  await writeFile(join(folder, 'index.json'), json({schemaVersion: 2, manifests: entries}))
  return {folder, manifests, blobPath: (digest) => join(blobs, digest.replace('sha256:', ''))}
}

async function putImage(
  {layers, config = {}, architecture = HOST_ARCHITECTURE, form = 'gzip', ...others}: TestImage,
  put: (bytes: Buffer, mediaType: string) => Promise<TestDescriptor>,
): Promise<TestDescriptor & {platform: object}> {
  const diffIds =
    others.diffIds ?? layers.map((bytes) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`)
  const rootfs = {type: 'layers', diff_ids: diffIds}
  const history = layers.map((_, index) => ({created_by: `layer ${index}`}))
  const configuration = json({architecture, os: 'linux', config, rootfs, history})
  const stored: TestDescriptor[] = []
  for (const bytes of layers)
    stored.push(await put(inForm(bytes, form), form === 'none' ? LAYER : `${LAYER}+${form}`))
  const manifest = {
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: await put(configuration, 'application/vnd.oci.image.config.v1+json'),
    layers: stored,
  }
  return {...(await put(json(manifest), MANIFEST)), platform: {os: 'linux', architecture}}
}

function inForm(bytes: Buffer, form: LayerForm): Buffer {
  if (form === 'none') return bytes
  if (form === 'gzip') return gzipSync(bytes, {level: 1})
  return execFileSync('zstd', ['-q', '-c', '-1'], {input: bytes, maxBuffer: 2 ** 28})
}

const json = (value: object): Buffer => Buffer.from(JSON.stringify(value))

/** Of the programs that this host runs, as registries name it. */
const HOST_ARCHITECTURE =
  {
    x64: 'amd64',
    arm64: 'arm64',
    arm: 'arm',
    ppc64: 'ppc64le',
    s390x: 's390x',
    riscv64: 'riscv64',
    ia32: '386',
  }[process.arch as string] ?? 'amd64'
