import {existsSync} from 'node:fs'
import {mkdir, readFile, rm, symlink, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {basename, dirname, join} from 'node:path'
import type {ArchiveContext} from '../../src/apt/context.js'
import {downloadPackages} from '../../src/apt/download.js'
import {planPackages} from '../../src/apt/plan.js'
import {type FetchedTool, fetchTool, QEMU} from '../../src/environments/tools/fetch.js'
import {openHost} from '../../src/host/host.js'
import {takeLock} from '../../src/host/locks.js'
import {extractPrograms} from '../../src/rootfs/debs/extract.js'
import {TRIXIE} from './archive-context.js'
import type {SandboxedCli} from './cli.js'
import {symlink as link, tarArchive, tarMember} from './tar-archive.js'

const {uid, which, environment} = openHost()
const CACHE = join(process.env['ENVS_TEST_CACHE'] ?? join(tmpdir(), `envs-test-cache-${uid}`), 'foreign')
const PATHS = {data: join(CACHE, 'data'), cache: join(CACHE, 'cache'), packages: join(CACHE, 'packages')}

/** Of the host's own mirror. */
function mirrorContext(): ArchiveContext {
  const mirrors = {debian: undefined, debianSecurity: undefined, ubuntu: undefined}
  return {environment, which, paths: PATHS, mirrors, keyrings: [], now: new Date()}
}

let fetched: Promise<FetchedTool> | undefined

/** Lays QEMU where a user has it who had it fetched; fetched from the host's mirror, once for all tests. */
export async function giveQemu({data}: Pick<SandboxedCli, 'data'>): Promise<void> {
  const host = openHost()
  fetched ??= fetchTool({...host, paths: {...host.paths, ...PATHS}}, QEMU, mirrorContext())
  const {folder} = await fetched
  const place = join(data, 'tools/qemu', basename(folder))
  await mkdir(dirname(place), {recursive: true, mode: 0o700})
  await symlink(folder, place)
}

const PROGRAM = 'usr/bin/busybox'
const NAMES = ['sh', 'uname', 'id', 'chown', 'stat', 'cat', 'mount', 'find', 'chmod', 'sleep', 'rm', 'touch']
const ROOT = {uid: 0, gid: 0} as const

/** A rootfs of arm64 whose only program is BusyBox, made once from a package of the host's mirror. @returns Its path. */
export async function foreignRootfs(): Promise<string> {
  const path = join(CACHE, 'busybox-arm64.tar')
  await mkdir(CACHE, {recursive: true, mode: 0o700})
  const lock = await takeLock(`${path}.lock`, {mode: 'exclusive', waitMs: 300_000})
  if (lock === undefined) throw new Error(`${path}.lock is held for five minutes`)
  try {
    if (!existsSync(path)) await writeFile(path, treeAround(await busybox()))
    return path
  } finally {
    lock.release()
  }
}

async function busybox(): Promise<Buffer> {
  const name = 'busybox-static'
  const context = mirrorContext()
  const {packages} = await planPackages({...TRIXIE, architecture: 'arm64', include: [name]}, context)
  const wanted = packages.filter((each) => each.name === name)
  const downloads = await downloadPackages({packages: wanted}, context)
  const path = join(CACHE, `busybox-${process.pid}`)
  try {
    for await (const fetched of downloads)
      await extractPrograms({name, path: fetched.path}, new Map([[PROGRAM, path]]), {which})
    return await readFile(path)
  } finally {
    await downloads.close()
    await rm(path, {force: true})
  }
}

function treeAround(program: Buffer): Buffer {
  const file = (name: string, data: string) => tarMember({...ROOT, name, data})
  return tarArchive(
    ...['./', './usr/', './usr/bin/', './etc/', './root/', './tmp/'].map((name) =>
      tarMember({...ROOT, name, type: '5', mode: 0o755}),
    ),
    tarMember({...ROOT, name: `./${PROGRAM}`, data: program, mode: 0o755}),
    ...NAMES.map((name) => link(`./usr/bin/${name}`, 'busybox')),
    link('./bin', 'usr/bin'),
    file('./etc/passwd', 'root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/tmp:/bin/sh\n'),
    file('./etc/group', 'root:x:0:\nann:x:1000:\n'),
  )
}
