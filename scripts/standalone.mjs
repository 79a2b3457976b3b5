// Makes one archive with envs, Node and Perl, for hosts that have neither: unpack it anywhere, and link its
// bin/envs. Node comes from the package registry that npm is configured for; Perl is Debian's, verified as by
// envs doctor --fetch perl.
//
// usage: node --import tsx scripts/standalone.mjs [FOLDER]    writes FOLDER/envs-VERSION-linux-ARCH.tar.gz;
// standalone/ when left out
import {spawnSync} from 'node:child_process'
import {mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join, resolve} from 'node:path'
import {fileURLToPath} from 'node:url'
import {readSettings} from '../src/config/settings.js'
import {archiveContext, imageContext} from '../src/environments/create/request.js'
import {FETCHABLE, fetchTool} from '../src/environments/tools/fetch.js'
import {openHost} from '../src/host/host.js'
import {packNode, packPackage} from './node-package.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const target = resolve(process.argv[2] ?? join(root, 'standalone'))
const stage = mkdtempSync(join(tmpdir(), 'envs-standalone-'))
try {
  console.log(await makeArchive())
} catch (error) {
  console.error(`The archive was not made: ${error.message}`)
  process.exitCode = 1
} finally {
  rmSync(stage, {recursive: true, force: true})
}

async function makeArchive() {
  const {version} = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const name = `envs-${version}-linux-${process.arch}`
  const tree = join(stage, name)
  // The same package that the tests install.
  unpack(packPackage([], {cwd: root, folder: stage}), tree)
  const node = join(tree, 'node')
  const programs = ['package/bin/node', 'package/LICENSE']
  unpack(packNode(stage), node, programs)
  renameSync(await fetchPerl(), join(tree, 'perl'))
  mkdirSync(target, {recursive: true})
  const archive = join(target, `${name}.tar.gz`)
  const partial = join(target, `.partial-${process.pid}`)
  try {
    const sameForAll = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--mtime=@0']
    run('tar', [...sameForAll, '--create', '--gzip', '--file', partial, '--directory', stage, name])
    renameSync(partial, archive)
  } finally {
    rmSync(partial, {force: true})
  }
  return archive
}

/** @returns Its folder, which can be moved to any host of this architecture. */
async function fetchPerl() {
  const host = openHost()
  const paths = {...host.paths, data: join(stage, 'data'), cache: join(stage, 'cache')}
  const own = {...host, paths: {...paths, packages: join(paths.cache, 'packages')}}
  const settings = await readSettings(host)
  const image = imageContext(own, settings, {signal: new AbortController().signal})
  const context = archiveContext(own, settings, {...image, keyrings: []})
  const {folder} = await fetchTool(own, FETCHABLE.perl, context, {isPortable: true})
  return folder
}

function unpack(archive, folder, members = []) {
  mkdirSync(folder)
  run('tar', [
    '--extract',
    '--no-same-owner',
    '--strip-components=1',
    '--file',
    archive,
    '--directory',
    folder,
    ...members,
  ])
}

function run(program, argv, options = {stdio: ['ignore', 'pipe', 'inherit']}) {
  const {status, signal, error, stdout} = spawnSync(program, argv, {...options, encoding: 'utf8'})
  if (status !== 0) throw new Error(`${program} ${argv[0]} ended with ${error?.message ?? status ?? signal}`)
  return stdout
}
