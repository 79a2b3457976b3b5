import {join} from 'node:path'
import {templatePath} from '../src/host/paths.js'
import {aptArchive} from './apt-archive.js'
import type {FreshPlaces} from './fresh-places.js'
import {type Bench, makeFolder, runAsCaller} from './invocation.js'
import type {Contender, Group} from './measure.js'
import {openProduct} from './product.js'

/** Packages for building software. */
const PACKAGES = ['build-essential', 'python3', 'git'] as const
const INSTALL = ['apt-get', '-q', '-y', '--no-download', 'install', ...PACKAGES] as const
const QUIETLY = 'DEBIAN_FRONTEND=noninteractive'

/** Mounts that end with the program, in a new namespace. @see chroot(1) */
const ENTER_CHROOT =
  'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" /usr/bin/env -i "$@"'
const CHROOT_VARIABLES = [
  'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  'HOME=/root',
  'LANG=C.UTF-8',
  QUIETLY,
] as const

/**
 * Compares APT installing the same downloaded packages into fresh trees of the same archive: as root with
 * chroot(1), and in environments. The archive's APT, dpkg and maintainer scripts do the work everywhere.
 *
 * @throws {InvocationFailedError} If no environment works here, or the packages can't be downloaded.
 */
export async function aptGroup(
  rootfs: string,
  {places, bench}: {places: FreshPlaces; bench: Bench},
): Promise<Group> {
  const archive = await aptArchive(rootfs, {bench, packages: PACKAGES})
  const reference = 'root chroot'
  const isRoot = process.getuid?.() === 0
  return {
    title: `apt-get install ${PACKAGES.join(' ')}: ${archive.packages} packages, ${megabytes(archive.sizeBytes)} MB, downloaded before`,
    compared: 'One apt-get install into a fresh tree of the same archive, nothing running in it before.',
    reference,
    contenders: [
      ...(isRoot ? [{...chroot(archive.path, places, bench), name: reference}] : []),
      ...(['overlay', 'directory'] as const).flatMap((storage) =>
        (['mapped', 'emulated'] as const).map((identity) => ({
          ...environment({identity, storage}, archive.path, {places, bench}),
          name: `envs run, ${identity}, ${storage}`,
        })),
      ),
    ],
    absent: isRoot ? [] : [{name: reference, reason: 'only root can do that: run it by root with --as USER'}],
  }
}

function chroot(archive: string, places: FreshPlaces, bench: Bench): Omit<Contender, 'name'> {
  return {
    side: 'peer',
    async prepare() {
      const place = await places.open()
      const root = join(place, 'rootfs')
      await makeFolder(root, {...bench, user: {uid: 0, gid: 0}})
      await runAsCaller(['tar', '--numeric-owner', '-xpf', archive, '-C', root], bench)
      // As in environments: no package starts a service.
      const policy = [
        '-m',
        '755',
        templatePath('rootfs/services/policy-rc.d'),
        join(root, 'usr/sbin/policy-rc.d'),
      ]
      await runAsCaller(['install', ...policy], bench)
      await runAsCaller(['sync', '--file-system', place], bench)
      const command = [...CHROOT_VARIABLES, ...INSTALL]
      return {argv: ['unshare', '--mount', 'sh', '-c', ENTER_CHROOT, root, ...command], asCaller: true}
    },
    tidy: places.close,
  }
}

/** Cold: the environment starts with the command. Its creation has synced its files. */
function environment(
  {identity, storage}: {identity: 'mapped' | 'emulated'; storage: 'overlay' | 'directory'},
  archive: string,
  {places, bench}: {places: FreshPlaces; bench: Bench},
): Omit<Contender, 'name'> {
  const productIn = (place: string) => openProduct(bench, join(place, 'home'))
  let place = ''
  return {
    // Left out if it can't work, such as mapped for a user without a range of ids.
    side: 'peer',
    async prepare() {
      place = await places.open()
      const product = productIn(place)
      const kind = ['--identity', identity, '--storage', storage] as const
      await product.run('create', archive, '--name', 'bench', ...kind, '--quiet')
      return product.call('run', '--env', QUIETLY, 'bench', '--', ...INSTALL)
    },
    async tidy() {
      await productIn(place).clear()
      await places.close()
    },
  }
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0)
}
