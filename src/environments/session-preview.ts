import type {Host} from '../host/host.js'
import {sharedPackages} from '../host/shared-packages.js'
import {anchorWords} from '../sandbox/anchor-start.js'
import {sessionCommand} from '../sandbox/session-arguments.js'
import {planAnchor} from './anchor-plan.js'
import {anchorEngineFor} from './engine.js'
import {readGuestTree, rootMount} from './guest-tree.js'
import type {SessionPreviewResult} from './results.js'
import {planRequest, type SessionWish} from './session-request.js'
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
  const tree = await readGuestTree(environment)
  const plan = await planAnchor(host, environment, {
    filter: new Uint8Array(),
    packages: sharedPackages(host.paths),
    root: rootMount(host.paths, tree),
    memory: tree.kind === 'overlay' ? tree.holder : undefined,
    engine: await anchorEngineFor(host, wish.engine ?? 'auto', environment),
  })
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
      planRequest(host, environment, wish),
    ),
  }
}
