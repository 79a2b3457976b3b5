import type {Host} from '../../host/host.js'
import {findEnvironment} from '../../store/environments.js'
import {stopFiles} from '../session/processes.js'
import {runInEnvironment} from '../session/run.js'
import {changeSettings, parseSettingsChange} from '../settings.js'

const STOP_GRACE_MS = 2000

/** Makes the files of a new environment read-only, after a first start has written its keys and replaced `su` (decision 13). */
export async function makeReadOnly(host: Host, name: string): Promise<void> {
  await runInEnvironment(host, name, {
    command: ['/bin/sh', '-c', ':'],
    user: undefined,
    workingFolder: undefined,
    variables: [],
    volumes: [],
    durable: 'auto',
  })
  const {files} = await findEnvironment(host.paths, name)
  await stopFiles(host, files, {graceMs: STOP_GRACE_MS})
  await changeSettings(host, name, parseSettingsChange(['read-only=yes']))
}
