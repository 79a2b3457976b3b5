import {EnvsError} from '../../errors.js'
import {isErrno} from '../../host/errno.js'
import type {Host} from '../../host/host.js'
import {tryMapping} from '../../host/trials.js'
import type {AnchorEngineName} from '../../sandbox/engines/engine.js'
import {tryEngines} from '../../sandbox/engines/select.js'
import type {Identity} from '../../sandbox/identity.js'
import {repeatCgroupTrial} from '../../sandbox/init/cgroups.js'
import {canBeMounted} from '../../store/overlay-mount.js'
import {overlayTrialOf, probeOverlay} from './engine.js'

/** Failures that a remembered trial can cause: one that succeeded and would fail now, or the reverse. */
const DOUBTFUL: ReadonlySet<string> = new Set([
  'ENVS_START_FAILED',
  'ENVS_NO_NAMESPACE',
  'ENVS_WORKER_DIED',
  'ENVS_STORAGE_UNAVAILABLE',
  'ENVS_ENGINE_UNSUITABLE',
  'ENVS_INIT_UNSUITABLE',
  'ENVS_NO_CGROUPS',
])

/**
 * Runs `work`, which chooses by remembered trials and has no effect when it fails. After a failure that such a trial can
 * cause, repeats the trials, and runs `work` once more if one of them came to something else than what was remembered.
 *
 * @throws The first failure if all trials were right, else the second.
 */
export async function withFreshTrials<Result>(host: Host, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    const isDoubtful = error instanceof EnvsError && DOUBTFUL.has(error.code)
    if (!isDoubtful || !(await repeatTrials(host))) throw error
    return work()
  }
}

const ENGINES: readonly AnchorEngineName[] = ['bwrap', 'unshare']
const IDENTITIES: readonly Identity[] = ['mapped', 'emulated']

/** Repeats the trials that a start depends on, and remembers the results. @returns Whether what was remembered was wrong. */
async function repeatTrials(host: Host): Promise<boolean> {
  const engines = await tryEngines(host, {cacheFolder: host.paths.cache})
  const mapping = await tryMapping(host)
  const cgroupsWereWrong = await repeatCgroupTrial(host)
  let wasWrong = engines.wasWrong || mapping.wasWrong || cgroupsWereWrong
  for (const engine of ENGINES.filter((name) => engines.verdicts[name]))
    for (const identity of IDENTITIES) if (await repeatMount(host, identity, engine)) wasWrong = true
  return wasWrong
}

/** Repeats the trial mount of layers if it is remembered. @returns Whether what was remembered was wrong. */
async function repeatMount(host: Host, identity: Identity, engine: AnchorEngineName): Promise<boolean> {
  if (!canBeMounted(host.paths.layers)) return false
  const trial = overlayTrialOf(host, identity, engine)
  if (trial.recall() === undefined) return false
  try {
    return (await trial.anew(() => probeOverlay(host, identity, engine))).wasWrong
  } catch (error) {
    // A full disk has no room for a trial, which says nothing about what is remembered.
    if (isErrno(error)) return false
    if (!(error instanceof EnvsError)) throw error
    // The identity is no longer available: the trial can't be made.
    await trial.forget()
    return true
  }
}
