import {join} from 'node:path'
import {setTimeout as sleep} from 'node:timers/promises'
import {type Bench, type Invocation, InvocationFailedError, runAsUser, time} from './invocation.js'
import type {Contender, Group} from './measure.js'
import {openPodman, type Podman} from './podman.js'
import {allProcesses, residentBytes} from './process-family.js'
import type {Product} from './product.js'
import type {SessionMemory} from './session-memory.js'

const [SYSTEMD, SUPERVISOR] = ['boots-systemd', 'boots-services']
const REFERENCE = 'podman run --systemd=always'
const CONTAINER = 'envs-bench-boot'

/** Prints how many units failed, if any, and fails only if the boot is not over. */
const UNTIL_BOOTED = `case $(podman exec ${CONTAINER} systemctl is-system-running --wait) in running | degraded) ;; *) exit 1 ;; esac`

/**
 * Compares the boot of the same guest, by its systemd and by the supervisor of envs, with a container of podman that boots systemd.
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
  // The same files for podman; it boots no environment of envs.
  const tree = join(bench.folder, 'boot.tar')
  await product.run('export', SYSTEMD, '--output', tree)
  await product.run('set', SYSTEMD, 'init=systemd')
  const podman = await openPodman(tree, bench)
  const contenders: Contender[] = [
    ...('reason' in podman ? [] : [byPodman(podman, bench)]),
    boot(product, SYSTEMD, {name: 'envs start, init=systemd', side: 'peer'}),
    boot(product, SUPERVISOR, {name: 'envs start, init=services', side: 'ours'}),
  ]
  const note = 'ways' in podman ? ` podman is given ${podman.ways}.` : ''
  return {
    group: {
      title: 'Boot',
      compared: `From the call until each unit of the same minimal guest with systemd has started or failed.${note}`,
      reference: REFERENCE,
      contenders,
      absent: 'reason' in podman ? [podman] : [],
    },
    memory: () => measureBooted(contenders, bench),
    close: async () => {
      if ('close' in podman) await podman.close()
    },
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

function byPodman(podman: Podman, bench: Bench): Contender {
  const {image, variables} = podman
  const run = `podman run --detach --name ${CONTAINER} --systemd=always --network=host ${image} /sbin/init >/dev/null`
  const remove = `podman rm --force --ignore --time 10 ${CONTAINER} >/dev/null`
  const sh = (script: string): Invocation => ({argv: ['sh', '-ec', script], variables})
  return {
    name: REFERENCE,
    side: 'peer',
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
async function measureBooted(contenders: readonly Contender[], bench: Bench): Promise<SessionMemory> {
  const rows: SessionMemory['rows'][number][] = []
  for (const {name, side, prepare, tidy} of contenders) {
    const invocation = await prepare()
    const before = new Set(allProcesses())
    try {
      await time(invocation, bench)
      await sleep(SETTLE_MS)
      const pids = allProcesses().filter((pid) => !before.has(pid) && residentBytes(pid, 'Rss') > 0)
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
