import {existsSync} from 'node:fs'
import {chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm} from 'node:fs/promises'
import {homedir, tmpdir} from 'node:os'
import {join} from 'node:path'
import {resolveSuite} from '../src/apt/mirrors.js'
import {readSettings} from '../src/config/settings.js'
import {sha256Of} from '../src/host/digest.js'
import type {Host} from '../src/host/host.js'
import {takeLock} from '../src/host/locks.js'
import {templatePath} from '../src/host/paths.js'
import {guestFile} from './guest-file.js'
import {NODE_RELEASE, nodeProgram} from './ingredients.js'
import {runProgram} from './invocation.js'
import {bootMachine, type HostImage} from './machine.js'
import {COMMON_PACKAGES, type HostRelease} from './releases.js'
import {readBoot} from './trials.js'

type BuildOptions = {
  readonly isFresh: boolean
  readonly acceleration: string
  readonly patience: number
  readonly signal: AbortSignal
  readonly note: (text: string) => void
}

const KEYRINGS = {ubuntu: 'ubuntu-archive-keyring.gpg', debian: 'debian-archive-keyring.pgp'} as const

/** Without what no trial looks at; some of these packages are large. */
const DPKG_OPTIONS = [
  ...['doc', 'locale', 'i18n'].map((name) => `path-exclude=/usr/share/${name}/*`),
  ...['gpu', 'media', 'infiniband', 'iio', 'staging', 'net/wireless', 'net/ethernet'].flatMap((name) =>
    ['', '/usr'].map((root) => `path-exclude=${root}/lib/modules/*/kernel/drivers/${name}/*`),
  ),
  ...['', '/usr'].map((root) => `path-exclude=${root}/lib/modules/*/kernel/sound/*`),
]

/** Debian's kernels have nothing built in that a disk needs; Ubuntu's have IDE and ext4. */
const INITRD_SETUP = [
  'mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/usr/share/initramfs-tools/modules.d"',
  'printf "MODULES=list\\nCOMPRESS=gzip\\n" >"$1/etc/initramfs-tools/conf.d/hosts"',
  'printf "ata_piix\\nsd_mod\\next4\\n" >"$1/usr/share/initramfs-tools/modules.d/hosts"',
].join(' && ')

/**
 * Returns the image of a host; built without root unless the cache has one of the same packages, sources and furnishing.
 *
 * @throws {@link ProgramFailedError} With what the program said.
 */
export async function hostImage(
  release: HostRelease,
  {host, isFresh, ...options}: BuildOptions & {readonly host: Host},
): Promise<HostImage> {
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'envs-hosts')
  await mkdir(cache, {recursive: true, mode: 0o700})
  const sources = await sourcesOf(release, host)
  const furnish = await readFile(guestFile('furnish'), 'utf8')
  const {plan: _, ...system} = release
  const facts = JSON.stringify({system, sources, furnish, COMMON_PACKAGES, DPKG_OPTIONS, NODE_RELEASE})
  const folder = join(cache, `${release.name}-${sha256Of(facts).slice(0, 16)}`)
  const lock = await takeLock(`${folder}.lock`, {mode: 'exclusive', waitMs: 600_000})
  if (lock === undefined) throw new Error(`${folder}.lock: another build takes more than ten minutes.`)
  try {
    if (isFresh || !existsSync(folder)) {
      const partial = await mkdtemp(join(cache, `.partial-${release.name}-`))
      try {
        options.note(`${release.name}: building\n`)
        await build(release, {sources, partial, cache, ...options})
        await settle(partial, options)
        await removeOlder(cache, release)
        await rename(partial, folder)
      } finally {
        await rm(partial, {recursive: true, force: true})
      }
    }
  } finally {
    lock.release()
  }
  return filesOf(folder)
}

function filesOf(folder: string): HostImage {
  const initrd = join(folder, 'initrd')
  return {
    disk: join(folder, 'root.img'),
    kernel: join(folder, 'vmlinuz'),
    initrd: existsSync(initrd) ? initrd : undefined,
  }
}

/** Entries of sources.list(5), with KEYRING for the file of the keys; of the mirrors that envs itself would ask. */
async function sourcesOf({distribution, name, version}: HostRelease, host: Host): Promise<string[]> {
  const settings = await readSettings(host)
  const mirrors = {
    debian: settings.value('mirrors.debianArchive'),
    debianSecurity: settings.value('mirrors.debianSecurity'),
    ubuntu: settings.value('mirrors.ubuntuArchive'),
  }
  const release = {distribution, codename: name, version, hasMoved: false}
  const pockets = await resolveSuite(release, 'amd64', {mirrors})
  const components = distribution === 'ubuntu' ? 'main universe' : 'main'
  return pockets.map(
    ({suite, mirrors: [mirror]}) => `deb [signed-by=KEYRING] ${mirror} ${suite} ${components}`,
  )
}

/**
 * Boots the host once, and turns it off: compiled profiles of AppArmor and the like are there afterwards, as on any host in
 * use, and later boots take a fraction of the time.
 */
async function settle(
  partial: string,
  {acceleration, patience, signal}: Pick<BuildOptions, 'acceleration' | 'patience' | 'signal'>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'envs-hosts-'))
  try {
    await mkdir(join(folder, 'hosts'))
    await copyFile(guestFile('first-boot'), join(folder, 'hosts', 'main'))
    const disk = join(folder, 'disk.tar')
    await runProgram(['tar', '--owner=0', '--group=0', '-C', folder, '-cf', disk, 'hosts'], {signal})
    const machine = bootMachine({
      ...{image: filesOf(partial), disk, folder, isKept: true},
      ...{acceleration, patience, signal},
    })
    try {
      await readBoot(machine)
    } finally {
      await machine.stop()
    }
  } finally {
    await rm(folder, {recursive: true, force: true})
  }
}

type Build = {
  readonly sources: readonly string[]
  readonly partial: string
  readonly cache: string
  readonly signal: AbortSignal
}

async function build(release: HostRelease, {sources, partial, cache, signal}: Build): Promise<void> {
  // mmdebstrap's root has other ids than the caller: what it reads lies where everybody can look.
  const readable = await mkdtemp(join(tmpdir(), 'envs-hosts-'))
  try {
    await chmod(readable, 0o755)
    const keyring = join(readable, KEYRINGS[release.distribution])
    await copyFile(templatePath(`keys/${KEYRINGS[release.distribution]}`), keyring)
    await chmod(keyring, 0o644)
    const node = await nodeProgram(cache, signal)
    const tar = join(partial, 'root.tar')
    await runProgram(
      [
        ...[
          'mmdebstrap',
          `--mode=${process.getuid?.() === 0 ? 'root' : 'unshare'}`,
          '--variant=apt',
          '--quiet',
        ],
        `--include=${[...COMMON_PACKAGES, ...release.packages].join(',')}`,
        '--aptopt=Acquire::Languages "none"',
        ...DPKG_OPTIONS.map((option) => `--dpkgopt=${option}`),
        ...hooks(release, {node, partial}),
        ...[release.name, tar],
        ...sources.map((entry) => entry.replace('KEYRING', keyring)),
      ],
      {signal},
    )
    await runProgram(
      ['mke2fs', '-q', '-t', 'ext4', '-L', 'host', '-d', tar, join(partial, 'root.img'), '4G'],
      {signal},
    )
    await rm(tar)
  } finally {
    await rm(readable, {recursive: true, force: true})
  }
}

function hooks(
  {laterPackages, packages}: HostRelease,
  {node, partial}: {node: string; partial: string},
): string[] {
  const download = `cd "$1/srv/debs" && APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get -q download ${laterPackages.join(' ')}`
  const hasInitrd = packages.includes('initramfs-tools')
  return [
    ...(hasInitrd ? [`--setup-hook=${INITRD_SETUP}`] : []),
    `--customize-hook=mkdir -p "$1/srv/debs" && ${download}`,
    `--customize-hook=upload ${node} /usr/local/bin/node`,
    `--customize-hook=upload ${guestFile('furnish')} /srv/furnish`,
    '--customize-hook=chmod 755 "$1/usr/local/bin/node" && chroot "$1" sh /srv/furnish',
    `--customize-hook=cd "$1/boot" && mv vmlinuz-* kernel${hasInitrd ? ' && mv initrd.img-* initrd' : ''}`,
    `--customize-hook=download /boot/kernel ${join(partial, 'vmlinuz')}`,
    ...(hasInitrd ? [`--customize-hook=download /boot/initrd ${join(partial, 'initrd')}`] : []),
    '--customize-hook=rm -rf "$1"/boot/*',
  ]
}

async function removeOlder(cache: string, {name}: HostRelease): Promise<void> {
  for (const entry of await readdir(cache))
    if (entry.startsWith(`${name}-`) && !entry.endsWith('.lock'))
      await rm(join(cache, entry), {recursive: true, force: true})
}
