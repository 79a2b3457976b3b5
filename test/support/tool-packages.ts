import {readFile} from 'node:fs/promises'
import {basename} from 'node:path'
import {openHost} from '../../src/host/host.js'
import {capture} from '../../src/host/process.js'
import {readCatalogue, resolveRelease} from '../../src/images/catalog/catalogue.js'
import {type Archive, openArchive} from './archive.js'
import type {ArchivePackage} from './archive-pocket.js'
import type {Scope} from './cli.js'

/** Which package of Debian's has a library, by the beginning of its name. */
const OWNERS = {libcap: 'libcap2', libselinux: 'libselinux1', libpcre2: 'libpcre2-8-0', libpsx: 'libcap2'}

/** Debian's stable archive with this host's own bwrap in its package, and in theirs what it loads. */
export async function bubblewrapArchive(t: Scope): Promise<Archive> {
  const release = resolveRelease('stable', await readCatalogue(), new Date())
  return openArchive(t, {
    distribution: 'debian',
    suite: release?.codename ?? '',
    architecture: openHost().architecture,
    packages: [
      {name: 'base-files', priority: 'required', isEssential: true},
      {name: 'apt', priority: 'important'},
      ...(await bubblewrapPackages()),
    ],
  })
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
