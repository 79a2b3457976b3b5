import {join} from 'node:path'
import {setTimeout as sleep} from 'node:timers/promises'
import {ownRanges, readSubidFiles} from '../src/host/id-mapping.js'
import {capture} from '../src/host/process.js'
import {type Bench, type Invocation, InvocationFailedError, runAsUser, time} from './invocation.js'
import type {Absence, Contender, Group} from './measure.js'
import {type Nspawn, openNspawn} from './nspawn.js'
import {openPodman, type Podman} from './podman.js'
import {allProcesses, ownerOf, residentBytes} from './process-family.js'
import type {Product} from './product.js'
import type {SessionMemory} from './session-memory.js'

const [SYSTEMD, SUPERVISOR] = ['boots-systemd', 'boots-services']
const CONTAINER = 'envs-bench-boot'

/** Fails only if the boot is not over. */
const UNTIL_BOOTED = `case $(podman exec ${CONTAINER} systemctl is-system-running --wait) in running | degraded) ;; *) exit 1 ;; esac`

/** A contender that boots a guest. */
type BootContender = Contender & {
  /** Its processes, of the guest and of the host for it, among those that have come with the boot. */
  readonly ownOf: (pids: readonly number[]) => Promise<readonly number[]>
}

/** The tool of the host that boots the same guest; the first that works. */
type Peer = {
  readonly contender: BootContender | undefined
  readonly note: string
  readonly absent: readonly Absence[]
  close(): Promise<void>
}

/**
 * Compares the boot of the same guest, by its systemd and by the supervisor of envs, with a container of podman that boots systemd, or with
 * systemd-nspawn as root where podman can't.
 *
 * Makes two environments in the product's store; the caller clears it. Needs the network, for the packages of systemd.
 *
 * @throws {InvocationFailedError} If no environment can be made here.
 */
export async function servicesGroup(
  rootfs: string,
  {product, bench}: {product: Product; bench: Bench},
): Promise<{group: Group; memory: () => Promise<SessionMemory>; close: () => Promise<void>}> {
  await product.run('create', rootfs, '--name', SYSTEMD, '--init', 'systemd', '--quiet')
  await product.run('clone', SYSTEMD, SUPERVISOR)
  await product.run('set', SUPERVISOR, 'init=services')
  await product.run('set', SYSTEMD, 'init=none')
  // The same files for the peer; it boots no environment of envs.
  const tree = join(bench.folder, 'boot.tar')
  await product.run('export', SYSTEMD, '--output', tree)
  await product.run('set', SYSTEMD, 'init=systemd')
  const peer = await openPeer(tree, bench)
  const isOwn = await ownerCheck(bench)
  const ownOf = async (pids: readonly number[]) => pids.filter(isOwn)
  const contenders: BootContender[] = [
    ...(peer.contender === undefined ? [] : [peer.contender]),
    {...boot(product, SYSTEMD, {name: 'envs start, init=systemd', side: 'ours'}), ownOf},
    {...boot(product, SUPERVISOR, {name: 'envs start, init=services', side: 'ours'}), ownOf},
  ]
  return {
    group: {
      title: 'Boot',
      compared: `From the call until each unit of the same minimal guest with systemd has started or failed.${peer.note}`,
      reference: peer.contender?.name ?? '',
      contenders,
      absent: peer.absent,
    },
    memory: () => measureBooted(contenders, bench),
    close: peer.close,
  }
}

async function openPeer(tree: string, bench: Bench): Promise<Peer> {
  const absent: Absence[] = []
  const podman = await openPodman(tree, bench)
  if ('reason' in podman) absent.push(podman)
  else {
    const contender = await byPodman(podman, bench)
    const failure = await failureOf(contender, bench)
    if (failure === undefined)
      return {contender, absent, close: podman.close, note: ` podman is given ${podman.ways}.`}
    absent.push({name: contender.name, reason: failure})
    await podman.close()
  }
  const nspawn = await openNspawn(tree, bench)
  if ('reason' in nspawn)
    return {contender: undefined, absent: [...absent, nspawn], note: '', close: async () => {}}
  const contender = byNspawn(nspawn)
  const failure = await failureOf(contender, bench)
  if (failure === undefined)
    return {
      contender,
      absent,
      close: nspawn.close,
      note: ' systemd-nspawn is run by root, podman does not boot it here.',
    }
  await nspawn.close()
  return {
    contender: undefined,
    absent: [...absent, {name: contender.name, reason: failure}],
    note: '',
    close: async () => {},
  }
}

/** Boots once. */
async function failureOf({prepare, tidy}: Contender, bench: Bench): Promise<string | undefined> {
  try {
    await time(await prepare(), bench)
    return undefined
  } catch (error) {
    if (!(error instanceof InvocationFailedError)) throw error
    return error.complaint
  } finally {
    await tidy?.()
  }
}

function byNspawn({boot: prepare, stop: tidy, processes}: Nspawn): BootContender {
  return {name: 'systemd-nspawn --boot', side: 'peer', prepare, tidy, ownOf: processes}
}

/** Returns whether a process is of the user of the programs, or of an id of its range: other users of the host start some, too. */
async function ownerCheck({user}: Bench): Promise<(pid: number) => boolean> {
  const uid = user?.uid ?? process.getuid?.() ?? 0
  const {stdout} = await capture(['id', '--name', '--user', String(uid)])
  const ranges = ownRanges((await readSubidFiles()).subuid, {user: stdout.trim(), uid})
  return (pid) => {
    const owner = ownerOf(pid)
    return owner === uid || ranges.some(({start, count}) => owner >= start && owner < start + count)
  }
}

function boot(product: Product, name: string, {side, ...shown}: Pick<Contender, 'name' | 'side'>): Contender {
  return {
    ...{...shown, side},
    async prepare() {
      await product.run('stop', name)
      return product.call('start', name)
    },
    async tidy() {
      await product.run('stop', name)
    },
  }
}

async function byPodman(podman: Podman, bench: Bench): Promise<BootContender> {
  const {image, variables} = podman
  const run = `podman run --detach --name ${CONTAINER} --systemd=always --network=host ${image} /sbin/init >/dev/null`
  const remove = `podman rm --force --ignore --time 10 ${CONTAINER} >/dev/null`
  const sh = (script: string): Invocation => ({argv: ['sh', '-ec', script], variables})
  const isOwn = await ownerCheck(bench)
  return {
    name: 'podman run --systemd=always',
    side: 'peer',
    ownOf: async (pids) => pids.filter(isOwn),
    prepare: () => sh(`${run}; ${UNTIL_BOOTED}`),
    tidy: async () => {
      await runAsUser(['sh', '-c', remove], {...bench, environment: {...bench.environment, ...variables}})
    },
  }
}

/** After the boot, programs that only start things end. */
const SETTLE_MS = 3000

/**
 * Boots each contender that works, and adds up the memory of all processes that have come by then: of the guest, and of the host for it. Run it by
 * root with --as USER: the memory of processes of other ids is not readable by USER.
 */
async function measureBooted(contenders: readonly BootContender[], bench: Bench): Promise<SessionMemory> {
  const rows: SessionMemory['rows'][number][] = []
  for (const {name, side, prepare, tidy, ownOf} of contenders) {
    const invocation = await prepare()
    const before = new Set(allProcesses())
    try {
      await time(invocation, bench)
      await sleep(SETTLE_MS)
      const come = allProcesses().filter((pid) => !before.has(pid) && residentBytes(pid, 'Rss') > 0)
      const pids = await ownOf(come)
      const sum = (key: 'Pss' | 'Rss') => pids.reduce((total, pid) => total + residentBytes(pid, key), 0)
      rows.push({name, processes: pids.length, pssBytes: sum('Pss'), rssBytes: sum('Rss')})
    } catch (error) {
      if (side === 'ours' || !(error instanceof InvocationFailedError)) throw error
    } finally {
      await tidy?.()
    }
  }
  const compared = 'All processes that came with the boot: of the guest, and of the host for it.'
  return {title: 'Memory of a booted guest', compared, rows}
}
