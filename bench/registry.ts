import {createHash} from 'node:crypto'
import {createReadStream} from 'node:fs'
import {copyFile, mkdir, readFile, rename, rm, stat, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {pipeline} from 'node:stream/promises'
import {createGunzip} from 'node:zlib'
import {finishSha256} from '../src/host/digest.js'
import {startRegistry} from '../test/support/registry.js'
import {type Bench, type Invocation, makeFolder, runAsCaller, runAsUser} from './invocation.js'
import type {Contender, Group, Result} from './measure.js'
import {podmanSettings} from './podman-settings.js'
import {openProduct} from './product.js'
import {summarize} from './statistics.js'

/** Groups of one registry, and what was measured beside their wall time. */
export type RegistryGroups = {
  readonly groups: readonly Group[]
  /** Returns the result of a group with the time of processors, children included, in place of the wall time. */
  processorTime(result: Result): Result
  close(): Promise<void>
}

/** Folders of the host that stand for packages which were installed: some hundred megabytes. */
const MORE = ['usr/share', 'usr/lib/x86_64-linux-gnu', 'usr/lib/python3']
const MOST_MORE_BYTES = 380e6
const BASE = 'base'
const SECOND = 'second'

/**
 * Compares pulls of an image of about 500 MB from a registry on this host, and pushes: envs, podman, and skopeo with umoci.
 *
 * @param rootfs - A tar archive compressed with gzip: the lowest layer.
 */
export async function registryGroups(rootfs: string, bench: Bench): Promise<RegistryGroups> {
  const tidyUps: (() => Promise<void>)[] = []
  const registry = await startRegistry({after: (tidyUp) => void tidyUps.push(tidyUp)}, 'plain')
  const host = registry.host
  const folder = join(bench.folder, 'registry')
  await makeFolder(folder, bench)
  await publishImages(rootfs, {host, folder, bench})
  const own = join(folder, 'own.tar.gz')
  // podman remembers that the registry has the layers of images, and would send nothing.
  const another =
    'gunzip -c "$1" >own.tar && date >own-file && tar -rf own.tar own-file && gzip -1 own.tar && mv own.tar.gz "$2"'
  await runAsUser(['sh', '-ec', another, 'sh', rootfs, own], bench)
  const podman = podmanSettings(folder, bench)
  await podman.write({driver: undefined, way: {}})
  const cpu = new Map<string, number[]>()
  const product = openProduct(bench, join(folder, 'envs'))
  const variables = {ENVS_REGISTRIES_INSECURE: host}

  /** Times a program with its children. */
  function metered(
    name: string,
    make: () => Promise<Invocation> | Invocation,
    tidy?: () => Promise<void>,
  ): Contender {
    const path = join(folder, 'cpu')
    return {
      name,
      side: name.startsWith('envs') ? 'ours' : 'peer',
      async prepare() {
        const {argv, ...others} = await make()
        return {...others, argv: ['perl', '-e', METER, path, ...argv]}
      },
      async tidy() {
        const seconds = Number(await readFile(path, 'utf8').catch(() => '0'))
        await rm(path, {force: true})
        cpu.set(name, [...(cpu.get(name) ?? []), seconds * 1000])
        await tidy?.()
      },
    }
  }

  const unpacked = (image: string, place: string): Invocation => {
    const script = `rm -rf "$1"; mkdir "$1" && skopeo copy -q --src-tls-verify=false docker://${host}/${image}:1 "oci:$1/layout:1" &&
      umoci unpack --rootless --image "$1/layout:1" "$1/tree"`
    return {argv: ['sh', '-c', script, 'sh', place]}
  }
  const clearPodman = async () => {
    await runPodman(['rmi', '--all', '--force'])
  }
  const runPodman = (argv: readonly string[]) =>
    runAsUser(['podman', ...argv], {...bench, environment: {...bench.environment, ...podman.variables}})
  const pull = (image: string): Invocation => ({
    argv: ['podman', 'pull', '-q', '--tls-verify=false', `docker://${host}/${image}:1`],
    variables: podman.variables,
  })
  const ours = (...argv: string[]): Invocation => {
    const call = product.call(...argv)
    return {...call, variables: {...call.variables, ...variables}}
  }
  /** A prune removes images, and the next one the layers that only these had. */
  const clearOurs = async () => {
    await product.clear()
    await product.clear()
  }
  let pushes = 0
  const fresh = () => `${host}/pushed/${++pushes}:1`

  return {
    groups: [
      {
        title: 'Pulling an image from a registry on this host',
        compared:
          'Four layers with gzip, about 500 MB unpacked, into an empty store. envs create also makes the environment.',
        reference: 'podman pull',
        contenders: [
          metered('podman pull', () => pull(BASE), clearPodman),
          metered('envs image pull', () => ours('image', 'pull', `${host}/${BASE}:1`, '-q'), clearOurs),
          metered('envs create', () => ours('create', `${host}/${BASE}:1`, '-n', 'a', '-q'), clearOurs),
          metered('skopeo copy, umoci unpack', () => unpacked(BASE, join(folder, 'umoci'))),
        ],
        absent: [],
      },
      {
        title: 'Pulling a second image with the same layers and one more',
        compared: 'The first image is in the store; the second has one layer of its own.',
        reference: 'podman pull, second',
        contenders: [
          metered(
            'podman pull, second',
            async () => {
              await runPodman(['pull', '-q', '--tls-verify=false', `docker://${host}/${BASE}:1`])
              return pull(SECOND)
            },
            clearPodman,
          ),
          metered(
            'envs create, second',
            async () => {
              await runAsUser(
                [
                  'env',
                  `ENVS_HOME=${join(folder, 'envs')}`,
                  ...ours('create', `${host}/${BASE}:1`, '-n', 'a', '-q').argv,
                ],
                {...bench, environment: {...bench.environment, ...variables}},
              )
              return ours('create', `${host}/${SECOND}:1`, '-n', 'b', '-q')
            },
            clearOurs,
          ),
        ],
        absent: [],
      },
      {
        title: 'Pushing an environment of a tarball to a registry on this host',
        compared:
          'One layer of the minimal Debian, packed, compressed with gzip and sent to an empty repository.',
        reference: 'podman push',
        contenders: [
          metered(
            'podman push',
            async () => {
              await runPodman(['import', '-q', own, 'localhost/bench'])
              return {
                argv: [
                  'podman',
                  'push',
                  '-q',
                  '--tls-verify=false',
                  'localhost/bench',
                  `docker://${fresh()}`,
                ],
                variables: podman.variables,
              }
            },
            clearPodman,
          ),
          metered(
            'envs push',
            async () => {
              await product.run('create', own, '-n', 'a', '-q')
              return ours('push', 'a', fresh(), '-q')
            },
            clearOurs,
          ),
        ],
        absent: [],
      },
    ],
    processorTime(result) {
      const timesOf = (name: string) => (cpu.get(name) ?? []).slice(-result.rounds)
      const reference = timesOf(result.reference)
      return {
        ...result,
        title: `${result.title}: time of processors`,
        compared: 'User and system time of the programs and their children.',
        rows: result.rows.map(({name}) => {
          const timesMs = timesOf(name)
          return {name, timesMs, ...summarize(timesMs, reference)}
        }),
      }
    },
    async close() {
      await clearOurs()
      await clearPodman().catch(() => {})
      await runPodman(['unshare', 'rm', '-rf', join(folder, 'store')]).catch(() => {})
      for (const tidyUp of tidyUps.reverse()) await tidyUp()
    },
  }
}

/** Writes the seconds of the children, theirs included, into a file. @see times(2) */
const METER =
  'my $path = shift; my $status = system {$ARGV[0]} @ARGV; my (undef, undef, $user, $system) = times; open my $file, ">", $path or die; print $file $user + $system; exit($status >> 8 || ($status & 127 ? 1 : 0))'

type Layer = {readonly digest: string; readonly diffId: string; readonly size: number}

/** Makes the images, and writes them into the registry. */
async function publishImages(
  rootfs: string,
  {host, folder, bench}: {host: string; folder: string; bench: Bench},
): Promise<void> {
  const blobs = join(folder, 'layout/blobs/sha256')
  await mkdir(blobs, {recursive: true})
  const layers = [await layerOf(rootfs, blobs)]
  let left = MOST_MORE_BYTES
  for (const path of [...MORE, 'usr/bin']) {
    const archive = join(folder, 'layer.tar.gz')
    // As far as the size allows: the layers are to be the same on every host of one release.
    const script = `tar -C / --numeric-owner --sort=name -c "$1" | head -c ${left} | tar --ignore-zeros -x -C "$2" 2>/dev/null; tar -C "$2" -c "$1" | gzip -1 >"$3"; du -sb "$2" | cut -f1; rm -rf "$2"`
    const tree = join(folder, 'more')
    await mkdir(tree)
    const used = await runAsUser(['sh', '-c', script, 'sh', path, tree, archive], {
      folder: bench.folder,
      environment: bench.environment,
    })
    left = Math.max(1e6, left - Number(used))
    layers.push(await layerOf(archive, blobs))
  }
  for (const [name, count] of [
    [BASE, layers.length - 1],
    [SECOND, layers.length],
  ] as const) {
    await writeLayout(join(folder, 'layout'), layers.slice(0, count))
    await runAsCaller(
      [
        'skopeo',
        'copy',
        '-q',
        '--dest-tls-verify=false',
        `oci:${join(folder, 'layout')}:1`,
        `docker://${host}/${name}:1`,
      ],
      bench,
    )
  }
  await rm(join(folder, 'layout'), {recursive: true})
}

async function layerOf(archive: string, blobs: string): Promise<Layer> {
  const hashOf = async (isPlain: boolean) => {
    const hash = createHash('sha256')
    const read = createReadStream(archive)
    if (isPlain) await pipeline(read, createGunzip(), hash)
    else await pipeline(read, hash)
    return finishSha256(hash)
  }
  const [digest, diffId, {size}] = [await hashOf(false), await hashOf(true), await stat(archive)]
  const partial = join(blobs, 'partial')
  await copyFile(archive, partial)
  await rename(partial, join(blobs, digest))
  return {digest: `sha256:${digest}`, diffId: `sha256:${diffId}`, size}
}

async function writeLayout(folder: string, layers: readonly Layer[]): Promise<void> {
  const put = async (value: unknown, mediaType: string) => {
    const bytes = Buffer.from(JSON.stringify(value))
    const digest = createHash('sha256').update(bytes).digest('hex')
    await writeFile(join(folder, 'blobs/sha256', digest), bytes)
    return {mediaType, digest: `sha256:${digest}`, size: bytes.length}
  }
  const config = await put(
    {
      ...{
        architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
        os: 'linux',
        config: {Cmd: ['/bin/sh']},
      },
      rootfs: {type: 'layers', diff_ids: layers.map(({diffId}) => diffId)},
      history: layers.map(() => ({created_by: 'bench'})),
    },
    'application/vnd.oci.image.config.v1+json',
  )
  const mediaType = 'application/vnd.oci.image.manifest.v1+json'
  const layerType = 'application/vnd.oci.image.layer.v1.tar+gzip'
  const manifest = await put(
    {
      schemaVersion: 2,
      mediaType,
      config,
      layers: layers.map(({digest, size}) => ({mediaType: layerType, digest, size})),
    },
    mediaType,
  )
  await writeFile(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  const annotations = {'org.opencontainers.image.ref.name': '1'}
  await writeFile(
    join(folder, 'index.json'),
    JSON.stringify({schemaVersion: 2, manifests: [{...manifest, annotations}]}),
  )
}
