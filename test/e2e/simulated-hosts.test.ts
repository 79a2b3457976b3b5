import assert from 'node:assert/strict'
import {chmod, mkdir} from 'node:fs/promises'
import {type TestContext, test} from 'node:test'
import {openHost} from '../../src/host/host.js'
import {type EnvironmentCli, environmentCli} from '../support/environment-cli.js'
import {onRestrictedHost, type Restriction} from '../support/restricted-host.js'
import {runnableRootfs} from '../support/runnable-rootfs.js'
import {canSimulate} from '../support/simulated-host.js'

const isRoot = process.getuid?.() === 0
const skip = isRoot
  ? 'these are hosts of an ordinary user'
  : !(await canSimulate()) && 'this host lets no user make a user namespace'
const noProot = openHost().which('proot') === undefined && 'proot is not installed'

type Case = {
  readonly host: string
  readonly skip?: string | false
  /** @param cli - Whose data folder is there. */
  readonly words: (cli: EnvironmentCli) => readonly string[]
  readonly variables?: Readonly<Record<string, string>>
  /** Exit status, and a part of what is told on standard error. */
  readonly create: readonly [number, RegExp]
  /** Undefined where there is nothing to run. */
  readonly run?: readonly [number, RegExp]
  /** Exit status of the doctor, and a line of it. */
  readonly doctor: readonly [number, RegExp]
}

const restricted = (restriction: Restriction) => () => onRestrictedHost(restriction)
const onStore = (options: string) => (cli: EnvironmentCli) =>
  onRestrictedHost({prepare: `mount -t tmpfs -o mode=700,${options} tmpfs ${cli.data}`})

const noexecStore = ({data}: EnvironmentCli) =>
  onRestrictedHost({prepare: `mount --bind ${data} ${data}; mount -o remount,bind,noexec ${data}`})

const QUIET = /^$/

const CASES: readonly Case[] = [
  {
    host: 'where user namespaces are forbidden and proot is there',
    skip: noProot,
    words: restricted({forbidsNamespaces: true}),
    create: [0, /^Engine proot.*see why: envs doctor/m],
    run: [0, QUIET],
    doctor: [0, /^warn {2}User namespaces: \/proc\/sys\/user\/max_user_namespaces is 0\.$/m],
  },
  {
    host: 'where user namespaces are forbidden',
    words: restricted({forbidsNamespaces: true, without: ['proot']}),
    create: [7, /User namespaces: \/proc\/sys\/user\/max_user_namespaces is 0\.\n.*"User namespaces"/],
    doctor: [7, /^FAIL {2}User namespaces: \/proc\/sys\/user\/max_user_namespaces is 0\.$/m],
  },
  {
    host: 'where proot is asked for and is not there',
    words: restricted({without: ['proot']}),
    variables: {ENVS_ENGINE: 'proot'},
    create: [
      7,
      /: proot was not found\.\n.* envs doctor --fetch proot\. .*\n.* at auto: bwrap works here\.\n$/,
    ],
    doctor: [7, /^FAIL {2}Engine: .*; the setting engine selects proot, which was not found\.$/m],
  },
  {
    host: 'where proot is asked for, is not there, and no other engine works',
    words: restricted({forbidsNamespaces: true, without: ['proot']}),
    variables: {ENVS_ENGINE: 'proot'},
    create: [7, /: proot was not found\.\n.* envs doctor --fetch proot\. [^\n]*\n$/],
    doctor: [7, /^ {6}remedy: See the other checks\. .*: envs doctor --fetch proot$/m],
  },
  {
    host: 'with a part of /proc covered',
    words: restricted({prepare: 'mount -t tmpfs tmpfs /proc/fs', without: ['proot']}),
    create: [7, /Whole \/proc: Covered by mounts: \/proc\/fs\.\n.*"Whole \/proc"/],
    doctor: [7, /^FAIL {2}Whole \/proc: Covered by mounts: \/proc\/fs\.$/m],
  },
  {
    host: 'without subordinate ids',
    words: restricted({prepare: 'mount --bind /dev/null /etc/subuid'}),
    create: [0, /^Identity emulated/m],
    run: [0, QUIET],
    doctor: [0, /^warn {2}Subordinate ids: No range was mapped/m],
  },
  {
    host: 'without newuidmap',
    words: restricted({without: ['newuidmap', 'newgidmap']}),
    create: [0, /^Identity emulated/m],
    run: [0, QUIET],
    doctor: [0, /^warn {2}Setuid newuidmap: Not found: newuidmap, newgidmap\.$/m],
  },
  {
    host: 'that forbids new privileges',
    words: () => ['setpriv', '--no-new-privs', '--'],
    create: [0, /^Identity emulated/m],
    run: [0, QUIET],
    doctor: [0, /^warn {2}New privileges: NoNewPrivs is 1/m],
  },
  {
    host: 'without bwrap',
    words: restricted({without: ['bwrap']}),
    create: [0, /^Engine unshare/m],
    run: [0, QUIET],
    doctor: [
      0,
      /^warn {2}Bubblewrap: bwrap was not found\.\n {6}means: Environments are started with unshare instead\.$/m,
    ],
  },
  {
    host: 'without perl',
    words: restricted({without: ['perl']}),
    create: [7, /envs doctor --fetch perl\n.*\n.*"Session launcher"/],
    doctor: [7, /^FAIL {2}Session launcher: perl was not found\./m],
  },
  {
    host: 'whose store is read-only',
    words: onStore('ro,size=64m'),
    create: [8, /read-only file system/],
    doctor: [7, /^FAIL {2}Disk: .*, not writable\.$/m],
  },
  {
    host: 'whose store lets nothing be executed',
    words: noexecStore,
    create: [0, QUIET],
    // Layers are a mount of their own.
    run: [0, QUIET],
    doctor: [0, /^warn {2}Execution: .* is mounted noexec\.$/m],
  },
  {
    host: 'whose store lets nothing be executed, and without layers',
    words: noexecStore,
    variables: {ENVS_STORAGE: 'directory'},
    create: [0, QUIET],
    run: [125, /Execution: .* is mounted noexec\.\n.*"Execution"/],
    doctor: [0, /^warn {2}Execution: .* is mounted noexec\.$/m],
  },
  {
    host: 'whose store is tiny',
    words: onStore('size=1m'),
    create: [8, /Not enough free space/],
    doctor: [0, /^warn {2}Disk: .*0\.0 GiB free/m],
  },
  {
    host: 'whose home is memory',
    words: onStore('size=2g'),
    create: [0, QUIET],
    doctor: [0, /^warn {2}Disk: .*tmpfs.*\n.*lost when this host restarts/m],
  },
  {
    host: 'without a network',
    words: restricted({isOffline: true}),
    create: [0, QUIET],
    run: [0, QUIET],
    doctor: [0, /^warn {2}Mirrors: 0 of \d servers answer/m],
  },
  {
    host: 'whose XDG_RUNTIME_DIR can not be written',
    words: () => ['env', 'XDG_RUNTIME_DIR=/proc/nowhere'],
    create: [0, QUIET],
    run: [0, QUIET],
    doctor: [0, /^ok {4}Engine: /m],
  },
  {
    host: "whose user is 0, in a container's namespace",
    words: () => ['unshare', '--map-root-user', '--mount', '--'],
    create: [0, /root/],
    run: [0, QUIET],
    doctor: [0, /^warn {2}Account: The user is 0, root\.$/m],
  },
]

async function hostFor(t: TestContext, {variables = {}, words}: Case) {
  const cli = await environmentCli(t, {http_proxy: '', ...variables})
  await mkdir(cli.data, {recursive: true})
  await chmod(cli.data, 0o700)
  const prefix = words(cli)
  const envs = (...argv: string[]) => cli.runBehind(prefix, ...argv)
  return {envs, rootfs: await runnableRootfs(cli.home)}
}

for (const one of CASES) {
  test(`on a host ${one.host} envs says what it can and can not do`, {skip: skip || one.skip}, async (t) => {
    const {envs, rootfs} = await hostFor(t, one)
    const [created, told] = one.create
    const create = await envs('create', rootfs, '--name', 'play')
    assert.equal(create.status, created, create.stderr)
    if (told !== QUIET) assert.match(create.stderr, told)
    assert.doesNotMatch(create.stderr, /This is a bug/)
    if (one.run !== undefined) {
      const [status, words] = one.run
      const run = await envs('run', 'play', 'true')
      assert.equal(run.status, status, run.stderr)
      assert.match(run.stderr, words)
      await envs('stop', '--force', 'play')
    }
    const [ended, line] = one.doctor
    const doctor = await envs('doctor')
    assert.match(doctor.stdout, line)
    assert.deepEqual([doctor.status, doctor.stderr], [ended, ''])
  })
}
