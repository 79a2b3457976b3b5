import {mkdir, rm} from 'node:fs/promises'
import {join} from 'node:path'
// @ts-expect-error A plain script, which runs by itself too.
import {hostRelease} from '../scripts/debian-rootfs.mjs'
import type {FreshPlaces} from './fresh-places.js'
import {type Bench, type Invocation, makeFolder, time} from './invocation.js'
import type {Contender, Group} from './measure.js'
import {openProduct} from './product.js'

type Release = {readonly suite: string; readonly mirror: string}

/** From mmdebstrap's manual, for users without a caching proxy. */
function cachedIn(folder: string): string[] {
  return [
    '--skip=essential/unlink',
    '--setup-hook=mkdir -p "$1"/var/cache/apt/archives/',
    `--setup-hook=sync-in ${folder} /var/cache/apt/archives/`,
    `--customize-hook=sync-out /var/cache/apt/archives ${folder}`,
  ]
}

/**
 * Compares building a minimal Debian as one tarball from the packages of the host's mirror: by mmdebstrap,
 * and by `envs image pull`; with empty caches, and with the downloads of an earlier run.
 */
export function bootstrapGroup({places, bench}: {places: FreshPlaces; bench: Bench}): Group {
  const release: Release = hostRelease()
  const caches = join(bench.folder, 'bootstrap-caches')
  const reference = 'mmdebstrap --variant=apt, cold'
  return {
    title: `Bootstrapping ${release.suite} from ${release.mirror}`,
    compared:
      'From a package mirror to one archive of a minimal system, with and without what an earlier run fetched.',
    reference,
    contenders: [
      mmdebstrap(reference, {release, places, cache: undefined}),
      ours('envs image pull, cold', {release, places, bench, cache: undefined}),
      mmdebstrap('mmdebstrap --variant=apt, packages there', {
        release,
        places,
        cache: filled(join(caches, 'apt'), bench, (cache) => mmdebstrapCall(release, '/dev/null', cache)),
      }),
      ours('envs image pull, packages and indices there', {
        release,
        places,
        bench,
        cache: filled(join(caches, 'envs'), bench, (cache) =>
          pull(release, bench, {home: join(caches, 'first'), cache}),
        ),
      }),
    ],
    absent: [],
  }
}

type Place = {readonly places: FreshPlaces; readonly release: Release; readonly cache: Cache | undefined}

/** Returns the folder of the downloads, after the first run. */
type Cache = () => Promise<string>

function filled(folder: string, bench: Bench, fill: (folder: string) => Invocation): Cache {
  let isFilled: Promise<void> | undefined
  const make = async () => {
    await mkdir(join(folder, '..'), {recursive: true})
    await makeFolder(folder, bench)
    await time(fill(folder), bench)
  }
  return async () => {
    isFilled ??= make()
    await isFilled
    return folder
  }
}

function mmdebstrap(name: string, {places, release, cache}: Place): Contender {
  return {
    name,
    side: 'peer',
    async prepare() {
      const place = await places.open()
      return mmdebstrapCall(release, join(place, 'debian.tar'), await cache?.())
    },
    tidy: places.close,
  }
}

function mmdebstrapCall({suite, mirror}: Release, target: string, cache: string | undefined): Invocation {
  const options = [
    '--variant=apt',
    '--quiet',
    '--mode=unshare',
    ...(cache === undefined ? [] : cachedIn(cache)),
  ]
  return {
    argv: ['mmdebstrap', ...options, suite, target, mirror],
    // Its work folder: the mapped users must have access to it.
    variables: {TMPDIR: '/tmp'},
  }
}

function ours(name: string, {places, release, bench, cache}: Place & {bench: Bench}): Contender {
  let home = ''
  return {
    name,
    side: 'peer',
    async prepare() {
      home = join(await places.open(), 'home')
      return pull(release, bench, {home, cache: await cache?.()})
    },
    async tidy() {
      await openProduct(bench, home).clear()
      await rm(home, {recursive: true, force: true})
      await places.close()
    },
  }
}

/** ENVS_HOME has its own cache; without it the desktop's folders are used. */
function pull(
  {suite}: Release,
  bench: Bench,
  {home, cache}: {home: string; cache: string | undefined},
): Invocation {
  const {argv} = openProduct(bench, home).call('image', 'pull', `debian:${suite}`, '--quiet')
  if (cache === undefined) return {argv, variables: {ENVS_HOME: home}}
  return {argv, variables: {XDG_DATA_HOME: join(home, 'data'), XDG_CACHE_HOME: cache}}
}
