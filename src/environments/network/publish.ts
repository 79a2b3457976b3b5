import {readFileSync, rmSync} from 'node:fs'
import {defineError, ExitCode} from '../../errors.js'
import {placeOf} from '../../features/network.js'
import {unlessErrno} from '../../host/errno.js'
import type {Host} from '../../host/host.js'
import {takeLock} from '../../host/locks.js'
import {readNetworkLimits} from '../../host/machine/network-limits.js'
import {anchorFiles, readLiveAnchor, recordedNetwork} from '../../sandbox/anchor-state.js'
import {PublicationError, privilegedPort} from '../../sandbox/network/errors.js'
import {isHelperRunning, publicationLock} from '../../sandbox/network/helper.js'
import {formatPublication, isSamePort, type Publication} from '../../sandbox/network/publication.js'
import {publish} from '../../sandbox/network/serve.js'
import {environmentFiles, findEnvironment, listNames} from '../../store/environments.js'
import {lockHistory, withLockedEnvironment} from '../../store/locks.js'
import {type EnvironmentSettings, readRecord, writeRecord} from '../../store/record.js'
import {findPortOwner} from '../services/port-reason.js'
import type {PublishResult} from './results.js'
import {requireConsistent} from './settings.js'

/** The environment has no such publication. */
const notPublishedError = defineError('ENVS_NOT_FOUND', ExitCode.notFound, {
  message: 'Port {publication} of "{name}" is not published.',
  nextStep: 'See the published ports: envs ports {name}',
})

/** A longer end than a helper needs. */
const END_MS = 5000

/**
 * Publishes ports of an environment, or takes publications back. In a running environment with a network of its own the change is
 * in force at once.
 *
 * @throws {PublicationError} @throws {UsageError} With the network of the host. @throws {notPublishedError}
 */
export async function changePublications(
  host: Host,
  text: string,
  {publications, isRemoval}: {readonly publications: readonly Publication[]; readonly isRemoval: boolean},
): Promise<PublishResult> {
  const {paths} = host
  return withLockedEnvironment(
    paths,
    'shared',
    () => findEnvironment(paths, text),
    async ({name, files}) => {
      const writing = await lockHistory({name, files})
      try {
        const environment = await findEnvironment(paths, name)
        const {record} = environment
        const before = record.settings.publish ?? []
        const isChanged = (each: Publication) => publications.some((other) => isSamePort(each, other))
        for (const each of isRemoval ? publications : [])
          if (!before.some((known) => isSamePort(known, each)))
            throw notPublishedError({name, publication: formatPublication(each)})
        const kept = before.filter((each) => !isChanged(each))
        const settings = withPublications(record.settings, isRemoval ? kept : [...kept, ...publications])
        if (!isRemoval) requireConsistent(name, settings)
        // The start of a stopped environment would fail.
        for (const each of isRemoval ? [] : publications)
          if (host.uid !== 0 && each.port < readNetworkLimits().firstPort)
            throw new PublicationError({name, publication: each, failure: privilegedPort})
        const anchor = readLiveAnchor(files.run)
        const isInForce = anchor !== undefined && recordedNetwork(files.run) !== undefined
        // Those that change their port of the guest, too.
        for (const each of before.filter(isChanged)) await endHelper(publicationLock(files.run, each))
        if (isInForce && !isRemoval)
          for (const each of publications) {
            const failure = await publish(placeOf(host, environment, anchor), name, each)
            if (failure !== undefined) throw await explainPublication(host, failure)
          }
        await writeRecord(files.record, {...record, settings})
        // It names the helpers that a session wants to see.
        rmSync(anchorFiles(files.run).plan, {force: true})
        return {name, publish: settings.publish ?? [], isInForce}
      } finally {
        writing.release()
      }
    },
  )
}

function withPublications(
  {publish: _, ...others}: EnvironmentSettings,
  publications: readonly Publication[],
): EnvironmentSettings {
  return publications.length === 0 ? others : {...others, publish: [...publications]}
}

/** Ends a helper, if it runs, and waits until its port is free. @param path - Its lock. */
export async function endHelper(path: string): Promise<void> {
  if (!(await isHelperRunning(path))) return
  // The helper writes its id, and holds the lock as long as the id is its own.
  const pid = Number(unlessErrno(() => readFileSync(path, 'utf8'), 'ENOENT') ?? '')
  if (Number.isSafeInteger(pid) && pid > 1) unlessErrno(() => process.kill(pid, 'SIGTERM'), 'ESRCH')
  const lock = await takeLock(path, {mode: 'exclusive', waitMs: END_MS})
  lock?.release()
}

/** Returns the error with the name of the environment or program that has the port. */
export async function explainPublication(host: Host, error: Error): Promise<Error> {
  if (!(error instanceof PublicationError) || !error.isTaken) return error
  const {publication} = error.subject
  const holder = await holderOf(host, publication)
  return holder === undefined ? error : new PublicationError(error.subject, holder)
}

async function holderOf(host: Host, publication: Publication): Promise<string | undefined> {
  for (const name of await listNames(host.paths)) {
    const files = environmentFiles(host.paths, name)
    const record = await readRecord(files.record).catch(() => undefined)
    const isSame = ({port}: Publication) => port === publication.port
    for (const each of record?.settings.publish?.filter(isSame) ?? [])
      if (await isHelperRunning(publicationLock(files.run, each))) return `the environment "${name}"`
  }
  const owner = await findPortOwner(host, publication.port, process.pid)
  return owner === undefined ? undefined : `the environment "${owner}"`
}
