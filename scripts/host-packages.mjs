// Lists missing host packages that the tests need; if run by root, installs them.
//
// usage: node scripts/host-packages.mjs
import {spawnSync} from 'node:child_process'
import {existsSync} from 'node:fs'
import {delimiter, join} from 'node:path'
import {fileURLToPath} from 'node:url'

/** Program, and its Debian package. */
const NEEDED = {
  bwrap: 'bubblewrap',
  bzip2: 'bzip2',
  debootstrap: 'debootstrap',
  'docker-registry': 'docker-registry',
  fish: 'fish',
  mandoc: 'mandoc',
  mmdebstrap: 'mmdebstrap',
  newuidmap: 'uidmap',
  openssl: 'openssl',
  perl: 'perl-base',
  proot: 'proot',
  script: 'bsdutils',
  skopeo: 'skopeo',
  strace: 'strace',
  tmux: 'tmux',
  umoci: 'umoci',
  xz: 'xz-utils',
  zsh: 'zsh',
  zstd: 'zstd',
}

/** @returns Whether all are installed. */
export function requireHostPackages() {
  const missing = missingPackages()
  if (missing.length === 0) return true
  if (process.getuid() === 0 && existsSync('/usr/bin/apt-get')) return install(missing)
  process.stderr.write(`Missing on this host, as Debian names its packages: ${missing.join(' ')}\n`)
  process.stderr.write(`Ask your administrator to run: apt-get install -y ${missing.join(' ')}\n`)
  return false
}

function missingPackages() {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/bin', '/sbin', '/bin']
  const isMissing = (program) => !folders.some((folder) => existsSync(join(folder, program)))
  return [
    ...new Set(
      Object.keys(NEEDED)
        .filter(isMissing)
        .map((program) => NEEDED[program]),
    ),
  ]
}

function install(packages) {
  process.stderr.write(`Installing with apt-get, because you are root: ${packages.join(' ')}\n`)
  const env = {...process.env, DEBIAN_FRONTEND: 'noninteractive'}
  const apt = (...args) => spawnSync('apt-get', ['-q', ...args], {env, stdio: ['ignore', 2, 2]}).status === 0
  return apt('update') && apt('install', '-y', '--no-install-recommends', ...packages)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = requireHostPackages() ? 0 : 7
