// The first command of the README: from a fresh checkout to a package that APT installed in a real environment.
import {spawnSync} from 'node:child_process'
import {homedir} from 'node:os'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {makeDebianRootfs} from './debian-rootfs.mjs'
import {requireHostPackages} from './host-packages.mjs'

const ENVS = fileURLToPath(new URL('../bin/envs.js', import.meta.url))
const NAME = 'first'
const ARCHIVE = join(
  process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'),
  'envs',
  'first-run',
  'debian.tar.gz',
)

function envs(...argv) {
  process.stderr.write(`\n$ envs ${argv.join(' ')}\n`)
  const {status} = spawnSync(process.execPath, [ENVS, ...argv], {stdio: 'inherit'})
  if (status !== 0) process.exit(status ?? 1)
}

function exists(name) {
  return spawnSync(process.execPath, [ENVS, 'show', name, '--json'], {stdio: 'ignore'}).status === 0
}

if (!requireHostPackages('first-run')) process.exit(7)
process.stderr.write(`Making a minimal Debian from this host's mirror: ${ARCHIVE}\n`)
makeDebianRootfs(ARCHIVE)
if (!exists(NAME)) envs('create', ARCHIVE, '--name', NAME)
envs('run', NAME, 'apt-get', 'update')
envs('run', NAME, 'apt-get', 'install', '--yes', 'hello')
envs('run', NAME, 'hello')
if (process.stdin.isTTY && process.stdout.isTTY) envs('enter', NAME)
process.stderr.write(`\nIt is still there: envs enter ${NAME}. To remove it: envs rm ${NAME}\n`)
