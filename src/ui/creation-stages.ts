import type {DownloadEvent} from '../host/http/receive.js'
import {stagesOf} from './job-stages.js'
import type {KeepingEvent} from './kept-download.js'
import {CHOICE_STAGES, describeMakingWithPace, MAKING_STAGES, type MakingEvent} from './making-wording.js'
import type {Stage} from './progress.js'
import {unpackProgress} from './unpack-progress.js'

/** The making of an environment, as far as its stages are concerned. */
type Steps<Resolution> = {
  /** Whether its image is made of packages, as far as that is known before anybody is asked. */
  readonly isMade: boolean
  /** @returns Whether it has to be made: there is none with the same packages yet. */
  choose(hooks: {
    onMaking: (event: MakingEvent) => void
    onResolved: (resolution: Resolution) => void
  }): Promise<boolean>
  fetch(hooks: {
    onProgress: (event: DownloadEvent) => void
    onMaking: (event: MakingEvent) => void
    onStored: () => void
    onResolved: (resolution: Resolution) => void
    onUnreachable: () => void
  }): Promise<void>
  extract(onProgress: (progress: {readonly entries: number; readonly bytes: number}) => void): Promise<void>
  publish(): Promise<void>
}

/**
 * Runs the steps and shows them.
 *
 * @param onDownload - Told of all that is fetched or made.
 * @param onResolved - Told what a name stands for.
 * @param onUnreachable - Told that an image is made because none could be reached.
 */
export async function runCreation<Resolution>(
  creation: Steps<Resolution>,
  {
    runStages,
    onDownload,
    ...hooks
  }: {
    runStages: (stages: readonly Stage[]) => Promise<void>
    onDownload: (event: KeepingEvent) => void
    onResolved: (resolution: Resolution) => void
    onUnreachable: () => void
  },
): Promise<void> {
  const progress = unpackProgress(() => performance.now())
  const rest = [
    progress.stage('Extract', () => creation.extract(progress.extraction)),
    {title: 'Set up', run: () => creation.publish()},
  ]
  let isMade = creation.isMade
  const onStored = () => onDownload({stage: 'stored'})
  const fetch = async (onMaking: (event: MakingEvent) => void) => {
    await creation.fetch({
      onProgress(event) {
        onDownload(event)
        progress.transfer(event)
      },
      onMaking(event) {
        isMade = true
        onDownload(event)
        onMaking(event)
      },
      onStored,
      ...hooks,
    })
    if (isMade) onStored()
  }
  if (!creation.isMade) {
    await runStages([progress.stage('Fetch', () => fetch(progress.making)), ...rest])
    return
  }
  const describeMaking = describeMakingWithPace(() => performance.now())
  let isNeeded = false
  const choose = async (onMaking: (event: MakingEvent) => void) => {
    isNeeded = await creation.choose({
      onMaking(event) {
        onDownload(event)
        onMaking(event)
      },
      onResolved: hooks.onResolved,
    })
  }
  await runStages(stagesOf(CHOICE_STAGES, choose, describeMaking))
  const making = isNeeded
    ? stagesOf(MAKING_STAGES, fetch, describeMaking)
    : [progress.stage('Fetch', () => fetch(progress.making))]
  await runStages([...making, ...rest])
}
