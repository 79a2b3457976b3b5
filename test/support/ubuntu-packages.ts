import {mkdir, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import type {PlannedPackage} from '../../src/apt/context.js'
import {downloadPackages} from '../../src/apt/download.js'
import {planPackages} from '../../src/apt/plan.js'
import {debArchitecture} from '../../src/host/machine/arch.js'
import {capture} from '../../src/host/process.js'
import {type Archive, openArchive} from './archive.js'
import {clientOf, TRIXIE} from './archive-context.js'
import type {ArchivePackage} from './archive-pocket.js'
import type {Scope} from './cli.js'
import {arArchive, arMembers} from './deb-file.js'
import {makeSigner} from './signer.js'
import {temporaryFolder} from './temporary-folder.js'

type Form = 'xz' | 'zstd'

/** What is real in it: programs and scripts, of Debian. What is Ubuntu's: forms, names and keys. */
type Deb = {readonly planned: PlannedPackage; readonly bytes: Buffer}

const FIELDS = [
  'Depends',
  'Pre-Depends',
  'Provides',
  'Multi-Arch',
  'Conflicts',
  'Breaks',
  'Replaces',
] as const

/** Fetched once for a test file, and put into another form once. */
export function realPackages(): (t: Scope, form: Form) => Promise<readonly ArchivePackage[]> {
  let fetched: Promise<readonly Deb[]> | undefined
  const made = new Map<Form, Promise<readonly ArchivePackage[]>>()
  return (t, form) => {
    fetched ??= fetchDebian(t)
    const packages = made.get(form) ?? fetched.then((debs) => likeUbuntu(t, debs, form))
    made.set(form, packages)
    return packages
  }
}

/** The minimal system of Debian, and hello, from the mirror of the host's own APT. */
async function fetchDebian(t: Scope): Promise<Deb[]> {
  const {context} = await clientOf(
    t,
    {mirrors: {debian: undefined, debianSecurity: undefined, ubuntu: undefined}, keyrings: []},
    {aptFolder: '/etc/apt', keyrings: [], backoffMs: 200},
  )
  const request = {...TRIXIE, architecture: debArchitecture(process.arch), include: ['hello']}
  const downloads = await downloadPackages(await planPackages(request, context), context)
  const debs: Deb[] = []
  try {
    for await (const {package: planned, path} of downloads) debs.push({planned, bytes: await readFile(path)})
  } finally {
    await downloads.close()
  }
  return debs
}

async function likeUbuntu(t: Scope, debs: readonly Deb[], form: Form): Promise<ArchivePackage[]> {
  const folder = await temporaryFolder(t)
  const wanted = debs.filter(({planned}) => planned.name !== 'debian-archive-keyring')
  const packages: ArchivePackage[] = []
  const work = wanted.values()
  const workers = [1, 2, 3].map(async () => {
    for (const each of work) packages.push(await published(each, folder, form))
  })
  await Promise.all(workers)
  return packages
}

async function published({planned, bytes}: Deb, folder: string, form: Form): Promise<ArchivePackage> {
  const {name, version, architecture, priority, isEssential} = planned
  const own = join(folder, name)
  await mkdir(own)
  const changed = EDITS[name] === undefined ? bytes : await edited(name, bytes, own)
  const deb = form === 'xz' ? changed : await asZstd(changed, own)
  const path = join(own, 'deb')
  await writeFile(path, deb)
  const {stdout, stderr, status} = await capture(['dpkg-deb', '--field', path, ...FIELDS])
  if (status !== 0) throw new Error(stderr)
  return {name, version, architecture, priority: priority as 'required', isEssential, deb, control: stdout}
}

/** What of a package is Debian's own by name, changed in its unpacked folder. */
const EDITS: Readonly<Record<string, string>> = {
  apt: "sed -i 's/debian-archive-keyring/ubuntu-keyring/' DEBIAN/control",
  'base-files': [
    "sed -i 's/^ID=.*/ID=ubuntu/; s/^NAME=.*/NAME=Ubuntu/' usr/lib/os-release",
    "sed -i '/os-release$/d' DEBIAN/md5sums",
  ].join('\n'),
}

async function edited(name: string, deb: Buffer, own: string): Promise<Buffer> {
  await writeFile(join(own, 'old.deb'), deb)
  const script = `dpkg-deb --raw-extract old.deb tree; cd tree; ${EDITS[name]}
    cd ..; dpkg-deb --root-owner-group -Zxz -z1 --build tree new.deb`
  const {status, stderr} = await capture(['sh', '-euc', script], {cwd: own})
  if (status !== 0) throw new Error(stderr)
  return await readFile(join(own, 'new.deb'))
}

/** As packages of Ubuntu are since 21.10: the part with the control file, too. */
async function asZstd(deb: Buffer, folder: string): Promise<Buffer> {
  const members = await Promise.all(
    arMembers(deb).map(async ([name, bytes]): Promise<[string, Buffer]> => {
      if (!name.endsWith('.xz')) return [name, bytes]
      const path = join(folder, name)
      await writeFile(path, bytes)
      const {status, stderr} = await capture(['sh', '-c', 'xz -dc "$0" | zstd -q -1 -o "$0.zst"', path])
      if (status !== 0) throw new Error(stderr)
      return [name.replace(/xz$/, 'zst'), await readFile(`${path}.zst`)]
    }),
  )
  return arArchive(members)
}

/** Of a time before /usr was merged. */
const UNMERGED: ArchivePackage = {
  name: 'unmerged',
  architecture: 'all',
  priority: 'required',
  files: {'bin/unmerged': '#!/bin/sh\necho unmerged\n'},
}

/**
 * A release of Ubuntu of real packages; the pocket of updates has a newer version of `ubuntu-keyring`: 2024, not 2023.
 *
 * @param listedOnly - So many more are in the index of the release.
 */
export async function openUbuntu(
  t: Scope,
  suite: string,
  {packages, listedOnly = 0}: {packages: readonly ArchivePackage[]; listedOnly?: number},
): Promise<Archive> {
  const signer = await makeSigner()
  const key = Buffer.from(signer.privateKey.toPublic().write())
  const keyring = (version: string): ArchivePackage => ({
    name: 'ubuntu-keyring',
    version,
    architecture: 'all',
    priority: 'important',
    files: {
      'usr/share/keyrings/ubuntu-archive-keyring.gpg': key,
      'etc/apt/trusted.gpg.d/ubuntu-keyring-2018-archive.gpg': key,
    },
  })
  const release = [...packages, UNMERGED, keyring('2023')]
  const archive = await openArchive(t, {
    distribution: 'ubuntu',
    suite,
    architecture: debArchitecture(process.arch),
    signer,
    packages: release,
    updates: [keyring('2024')],
  })
  if (listedOnly > 0) await archive.publish('release', {packages: release, listedOnly, indices: ['xz']})
  return archive
}
