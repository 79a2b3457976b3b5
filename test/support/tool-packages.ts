import {readFile, stat} from 'node:fs/promises'
import {basename} from 'node:path'
import {openHost} from '../../src/host/host.js'
import {capture} from '../../src/host/process.js'
import {readCatalogue, resolveRelease} from '../../src/images/catalog/catalog.js'
import {type Archive, openArchive} from './archive.js'
import type {ArchivePackage} from './archive-pocket.js'
import type {Scope} from './cli.js'

/** Which package of Debian's has a library, by the beginning of its name. */
const OWNERS = {libcap: 'libcap2', libselinux: 'libselinux1', libpcre2: 'libpcre2-8-0', libpsx: 'libcap2'}

/** Debian's stable archive with this host's own bwrap in its package, and in theirs what it loads. */
export async function bubblewrapArchive(t: Scope): Promise<Archive> {
  return archiveWith(t, await bubblewrapPackages())
}

/** Debian's stable archive with this host's own pasta in its package, and what it loads in that of libc6. */
export async function passtArchive(t: Scope): Promise<Archive> {
  const program = '/usr/bin/passt'
  const placed = (path: string) => `usr/lib/some-triplet/${basename(path)}`
  return archiveWith(t, [
    {
      name: 'passt',
      version: '9.9-1',
      depends: 'libc6',
      files: {'usr/bin/passt': await readFile(program)},
    },
    {name: 'libc6', files: await filesOf(await librariesOf(program), placed)},
  ])
}

/**
 * Debian's stable archive with the files of this host's own perl-base, and in their packages the libraries that it loads.
 *
 * @param isHostOld - Whether the C library of the host is too old for it: a broken one lies in the way of the host's loader.
 */
export async function perlArchive(t: Scope, {isHostOld = false} = {}): Promise<Archive> {
  return archiveWith(t, await perlPackages(isHostOld))
}

/** False, or why there is nothing to make a package perl-base of. */
export const noPerlBase =
  (await capture(['dpkg', '--listfiles', 'perl-base']).catch(() => undefined))?.status === 0
    ? false
    : 'this host has no package perl-base'

async function archiveWith(t: Scope, packages: readonly ArchivePackage[]): Promise<Archive> {
  const release = resolveRelease('stable', await readCatalogue(), new Date())
  return openArchive(t, {
    distribution: 'debian',
    suite: release?.codename ?? '',
    architecture: openHost().architecture,
    packages: [
      {name: 'base-files', priority: 'required', isEssential: true},
      {name: 'apt', priority: 'important'},
      ...packages,
    ],
  })
}

async function perlPackages(isHostOld: boolean): Promise<ArchivePackage[]> {
  const {stdout} = await capture(['dpkg', '--listfiles', 'perl-base'])
  const wanted = stdout
    .split('\n')
    .filter((path) => /^\/usr\/(bin\/perl$|lib\/[^/]+\/perl-base\/)/.test(path))
  const libraries = await librariesOf('/usr/bin/perl')
  const isCrypt = (path: string) => basename(path).startsWith('libcrypt')
  const placed = (paths: readonly string[]) =>
    filesOf(paths, (path) => `usr/lib/some-triplet/${basename(path)}`)
  const obstacle = isHostOld ? {'usr/lib/some-triplet/libc.so.6': Buffer.from('no library')} : {}
  return [
    {
      name: 'perl-base',
      version: '9.9-1',
      priority: 'required',
      isEssential: true,
      preDepends: 'libc6, libcrypt1',
      files: await filesOf(wanted, (path) => path.slice(1)),
    },
    {name: 'libc6', files: await placed(libraries.filter((path) => !isCrypt(path)))},
    {name: 'libcrypt1', files: {...(await placed(libraries.filter(isCrypt))), ...obstacle}},
  ]
}

/** Contents of the regular files among the paths, by what a package calls them. */
async function filesOf(
  paths: readonly string[],
  nameOf: (path: string) => string,
): Promise<Record<string, Buffer>> {
  const files: Record<string, Buffer> = {}
  for (const path of paths) if ((await stat(path)).isFile()) files[nameOf(path)] = await readFile(path)
  return files
}

async function bubblewrapPackages(): Promise<ArchivePackage[]> {
  const program = '/usr/bin/bwrap'
  const packages = new Map<string, Record<string, Buffer>>()
  for (const owner of ['libc6', ...Object.values(OWNERS)]) packages.set(owner, {})
  for (const path of await librariesOf(program)) {
    const name = basename(path)
    const owner = Object.entries(OWNERS).find(([start]) => name.startsWith(start))?.[1] ?? 'libc6'
    packages.set(owner, {...packages.get(owner), [`usr/lib/some-triplet/${name}`]: await readFile(path)})
  }
  return [
    {
      name: 'bubblewrap',
      version: '9.9-1',
      depends: [...packages.keys()].join(', '),
      files: {'usr/bin/bwrap': await readFile(program)},
    },
    ...[...packages].map(([name, files]) => ({name, files})),
  ]
}

/** Absolute paths of what a program of this host loads, its dynamic linker too, as ldd(1) prints them. */
export async function librariesOf(program: string): Promise<string[]> {
  const {stdout} = await capture(['ldd', program])
  return [...stdout.matchAll(/(?:=> |^\s+)(\/\S+) \(/gm)].map(([, path = '']) => path)
}
