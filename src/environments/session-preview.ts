import type {SessionWish} from '../features/feature.js'
import type {Host} from '../host/host.js'
import {anchorWords} from '../sandbox/anchor-start.js'
import {sessionCommand} from '../sandbox/session-arguments.js'
import {planAnchor} from './anchor-plan.js'
import {anchorEngineFor} from './engine.js'
import {readGuestTree} from './guest-tree.js'
import type {SessionPreviewResult} from './results.js'
import {planRequest} from './session-request.js'
import {chooseEnvironment} from './store.js'
import {sessionLauncher} from './toolbox.js'

/** The command lines that `runInEnvironment` would use; nothing is started. */
export type SessionPreview = SessionPreviewResult

export async function previewSession(
  host: Host,
  text: string | undefined,
  wish: SessionWish,
): Promise<SessionPreview> {
  const environment = await chooseEnvironment(host.paths, text)
  const engine = await anchorEngineFor(host, wish.engine ?? 'auto', environment)
  const state = {tree: await readGuestTree(environment), isPreview: true}
  const plan = await planAnchor({host, environment, wish}, engine, state)
  return {
    anchor: await anchorWords(plan),
    session: sessionCommand(
      {
        launcher: sessionLauncher(host),
        anchor: {pid: 0, startTime: ''},
        identity: environment.record.identity,
        architecture: host.architecture,
        parentPid: 0,
      },
      planRequest(host, environment, wish).request,
    ),
  }
}
