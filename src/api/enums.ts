import { registerEnumType } from 'type-graphql';
import { ERROR_CODES } from '../base/errors.ts';

/** Each enum is its members with what they mean; `registered` tells the schema. */
function registered<Member extends string>(
  name: string,
  description: string,
  members: Record<Member, string>,
): { [M in Member]: M } {
  const names = Object.keys(members) as Member[];
  const values = Object.fromEntries(names.map((member) => [member, member])) as { [M in Member]: M };
  registerEnumType<Record<string, string>>(values, {
    name,
    description,
    valuesConfig: Object.fromEntries(names.map((member) => [member, { description: members[member] }])),
  });
  return values;
}

export const DatasetVersionState = registered('DatasetVersionState', 'Where an import stands.', {
  IMPORTING: 'Its images are being listed and digested.',
  READY:
    'Its images and digest never change again; `source` and `artifact` follow the newest import of the same images.',
  FAILED: '`error` says why; import again.',
});

export const UploadState = registered('UploadState', 'Where an upload stands.', {
  OPEN: 'Takes parts.',
  READY: 'All its files are in the store; import it.',
  ABORTED: 'Given up on request; its files are deleted.',
  EXPIRED: 'Nobody sent parts, or no import used it, for too long; its files are deleted.',
});

export const RunState = registered('RunState', 'Where a run stands.', {
  QUEUED: 'Launched; nothing has been planned.',
  RUNNING: 'A stage is being planned or carried out.',
  STOPPING: 'A task failed for good or someone cancelled; what runs is being stopped.',
  SUCCEEDED: 'All stages are done. Final.',
  FAILED: '`failure` says why. Final.',
  CANCELLED: 'Stopped on request. Final.',
});

export const RunKind = registered('RunKind', 'What a run is for.', {
  DISTILLATION: 'It makes a synthetic dataset.',
  DRIFT: 'It measures whether new images are like those that another run distilled.',
});

export const DriftCorrection = registered('DriftCorrection', 'How p-values are corrected for how many there are.', {
  HOLM: 'One false alarm or more in a share alpha of runs.',
  BENJAMINI_HOCHBERG: 'A share alpha of the drifted classes is named falsely.',
  NONE: 'Each class by itself: many classes give many false alarms.',
});

export const DriftClassChanges = registered('DriftClassChanges', 'What classes that came or went are.', {
  DRIFT: 'Each is an alarm.',
  IGNORE: 'They are named, and are none.',
});

export const DriftClassState = registered('DriftClassState', 'How a class fares.', {
  TESTED: 'Its new images were compared with its held-out ones.',
  UNCHANGED: 'It has no new image.',
  TOO_FEW: 'It has fewer than 20 new images, or held-out ones: too few to compare.',
  NEW: 'The reference does not have it.',
  VANISHED: 'The version does not have it.',
});

export const StageState = registered('StageState', 'Where a stage of a run stands.', {
  PENDING: 'Not planned: what it consists of follows from earlier stages.',
  RUNNING: 'Its tasks are known and being carried out.',
  SUCCEEDED: 'All tasks succeeded and its artifact is published.',
  FAILED: 'The run ended during it, or before it.',
  CANCELLED: 'The run was cancelled during it, or before it.',
  SKIPPED: 'This run has no need of it; `skipReason` says why.',
});

export const TaskState = registered('TaskState', 'Where a task of a stage stands.', {
  PENDING: 'Waits for a slot, or for the time of its next attempt.',
  RUNNING: 'It has an attempt under way.',
  SUCCEEDED: 'Its artifact is published.',
  FAILED: 'It failed for good and stopped the run.',
  CANCELLED: 'The run stopped before it was done.',
});

export const AttemptState = registered('AttemptState', 'Where one try at a task stands.', {
  RUNNING: 'An executor carries it out, or is about to.',
  SUCCEEDED: 'It published its artifact.',
  FAILED: '`failure` says why.',
  LOST: 'Its service died or its lease ran out.',
  CANCELLED: 'Stopped on purpose and seen gone.',
});

export const TaskCache = registered('TaskCache', 'Whether a task had to be carried out.', {
  HIT: 'Its artifact had been published before this run asked; it cost this run nothing.',
  MISS: 'Nobody had made it before: this run carried it out.',
  STALE: 'It had been made before, and was gone or damaged: `cacheReason` says how. This run carried it out again.',
});

export const ArtifactState = registered('ArtifactState', 'Whether the bytes of an artifact are there, and stay.', {
  KEPT: 'They are there.',
  DOOMED: 'They are there, and are deleted after a grace period unless a run uses the artifact.',
  DELETED: 'They are gone; the artifact still tells what it was. A run that needs it makes it again.',
});

export const DoomReason = registered('DoomReason', 'Why a policy does not keep an artifact.', {
  KIND_EXPIRED: 'The days of its kind are over, or it is a stage that lists such.',
  VERSION_NOT_KEPT: 'A version of a dataset that is not among the newest, and no kept run read it.',
  RUN_NOT_KEPT: 'No kept run read or wrote it, and nothing that is kept was made from it.',
});

export const WebhookState = registered('WebhookState', 'Whether an endpoint is told of anything.', {
  ENABLED: 'It is.',
  DISABLED: '`disabledBecause` says why it is not: someone disabled it, or it answered 410.',
});

export const WebhookDeliveryState = registered('WebhookDeliveryState', 'Where a delivery stands.', {
  PENDING: 'It waits for its first or next try, or for one of the same run that is ahead of it.',
  DELIVERED: 'The endpoint answered 2xx.',
  DEAD: 'It was given up, after 13 tries over 28 hours or with 410; send it again with redeliverWebhook.',
});

export const ErrorCode = registered(
  'ErrorCode',
  'The closed set of error codes.',
  Object.fromEntries(ERROR_CODES.map((code) => [code, code.toLowerCase().replaceAll('_', ' ')])) as Record<
    (typeof ERROR_CODES)[number],
    string
  >,
);

export const QuantizerAlgorithm = registered('QuantizerAlgorithm', 'How the points of a class are found.', {
  LLOYD: 'Greedy k-means++ with restarts, then full-batch Lloyd to convergence.',
  CLVQ: 'Competitive learning over a stream of latents, for classes that do not fit in memory. Figures that need all latents at once are of a sample.',
});

export const SurveyMode = registered('SurveyMode', 'Whether distortion curves are measured.', {
  AUTO: "Where totalImages needs them, or they take at most twice the quantizer's work.",
  ON: 'Of every class.',
  OFF: 'Not at all; totalImages cannot do without them.',
});

export const DecoderMode = registered('DecoderMode', 'How points become images.', {
  AUTO: 'DIFFUSION where the prior has a denoiser, else VAE.',
  DIFFUSION: 'Noise the point, denoise it with the class-conditional model, decode.',
  VAE: 'Decode the point plainly.',
});

export const DecoderStart = registered('DecoderStart', 'What is decoded of a cell.', {
  CENTROID: 'The mean of its latents.',
  MEDOID: 'The latent of it that is nearest to the mean: one of a real image, and less smooth.',
});

export const CompareMode = registered('CompareMode', 'Whether codebooks and images are measured against others.', {
  ON: 'Against the balanced quantizer and D4M; images are encoded again, and weights refitted on them.',
  OFF: 'Not at all.',
});

export const LabelMode = registered('LabelMode', 'Where soft labels come from.', {
  AUTO: 'TEACHER where the prior has one, else NONE.',
  TEACHER: "The prior's teacher.",
  NONE: 'No soft labels.',
});

export const ClassShares = registered('ClassShares', 'The share p of a class in the weights.', {
  DATA: "The class's share of the images.",
  UNIFORM: 'The same for each class.',
});

export const Provider = registered('Provider', 'What runs the models.', {
  AUTO: 'The fastest that this machine has; the artifacts say which it was.',
  CPU: 'The processor. Byte-identical results for any batch and thread count.',
  WEBGPU: 'Any GPU through WebGPU.',
  CUDA: 'An NVIDIA GPU.',
});

export const CostDimension = registered('CostDimension', 'What costs are told apart by.', {
  DATASET: 'The dataset that was distilled.',
  STAGE: 'The stage of the run.',
  MONTH: 'The month in UTC in which the attempt ended.',
  DAY: 'The day in UTC in which the attempt ended.',
});

export const EstimateBasis = registered('EstimateBasis', 'What an estimate goes by.', {
  SAME_PRIOR: 'Earlier runs of the project with the same prior.',
  OTHER_PRIORS: 'Earlier runs of the project with other priors.',
  NONE: 'Nothing: no run of the project has had work of the kind.',
});

export const ParetoObjective = registered('ParetoObjective', 'What runs are chosen by; less is better in each.', {
  COST: 'What all that it published cost to make.',
  W2: 'W2 of the weighted points to the training latents, mean over the classes.',
  HELDOUT_W2: 'W2 of the weighted points to the held-out latents, mean over the classes.',
  IMAGES: 'Synthetic images.',
});

export const GateFigure = registered('GateFigure', 'What a gate asks about.', {
  W2: 'W2 of the weighted points to the training latents.',
  HELDOUT_W2: 'W2 of the weighted points to the held-out latents.',
  W2_DECODED: 'W2 of the decoded images, encoded again, to the training latents.',
  REDUCTION: 'How far W2 lies below that of the same points with uniform weights: 1 - W2/W2 uniform.',
  REDUCTION_BALANCED: 'The same against the balanced quantizer.',
  REDUCTION_D4M: 'The same against D4M.',
  ESS: 'Effective sample size of the weights, in points.',
  NEAREST_RATIO:
    'Distance of the decoded images to the nearest training images, over that of real ones: far below 1 they are copies.',
  COST: 'US dollars that all it published cost to make.',
  IMAGES: 'Synthetic images.',
});

export const GateScope = registered('GateScope', 'Whose figure a gate asks about.', {
  OVERALL: 'The mean over the classes, or the figure of the run.',
  EVERY_CLASS: 'That of each class alone: the worst decides.',
});

export const GateAgainst = registered('GateAgainst', 'What the bounds of a gate are of.', {
  NOTHING: 'The figure itself.',
  PROMOTED: 'The figure less that of what the alias stands for now.',
});

export const GateVerdict = registered('GateVerdict', 'What a gate said.', {
  PASSED: 'It lets through.',
  FAILED: 'The figure is out of bounds.',
  NOT_MEASURED: 'The run does not have the figure, which does not let through.',
  NOT_COMPARABLE:
    'What is promoted was made with another prior, so that distances do not compare, which does not let through.',
  NOTHING_PROMOTED: 'There is nothing yet to be worse than, which lets through.',
});

export const TriggerState = registered('TriggerState', 'Whether a trigger fires.', {
  ACTIVE: 'It fires where its condition is met and its policy lets it.',
  PAUSED: 'Events are SKIPPED, and not made up for.',
});

export const TriggerSourceKind = registered('TriggerSourceKind', 'What a trigger looks at.', {
  SCHEDULE: 'Times: needs cron and timeZone, takes dataset.',
  DATASET_VERSION: 'New versions of a dataset: needs dataset. The same images imported again are nothing new.',
  DRIFT:
    'New versions of a dataset, measured by a drift run against what an alias or a run stands for: needs dataset and against, takes samplesPerClass.',
  RUN: 'Runs that ended, drift runs left out: needs outcomes, takes dataset, priorId and launchedBy.',
  EVENT: 'CloudEvents that others send: needs eventSourceId, takes eventTypes and dataset.',
  ALIAS: 'What happens to an alias: needs alias and changes.',
});

export const RunOutcome = registered('RunOutcome', 'How a run ended.', {
  SUCCEEDED: 'All stages were done.',
  FAILED: 'It failed for good.',
  CANCELLED: 'It was stopped on request.',
});

export const AliasChange = registered('AliasChange', 'What happened to an alias.', {
  PROMOTED: 'It came to stand for another synthetic dataset.',
  REVERTED: 'It went back to one that it stood for before.',
});

export const TriggerBusy = registered(
  'TriggerBusy',
  'What happens to events while enough runs of a trigger are in flight.',
  {
    SKIP: 'They are SKIPPED.',
    QUEUE_NEWEST:
      'The newest waits until one of the runs has ended, and is evaluated then; those before it are SKIPPED.',
  },
);

export const TriggerMisfire = registered('TriggerMisfire', 'What happens to times of a schedule that were missed.', {
  SKIP: 'Nothing: one that is more than five minutes late is not told.',
  ONE: 'The newest fires, and says how many were missed.',
  ALL: 'Each fires, the newest 100 at most.',
});

export const TriggerVerdict = registered('TriggerVerdict', 'What a trigger came to for an event.', {
  FIRED: 'It did what its action says.',
  NOT_MET: 'Its condition was not true; `terms` and `detail` say why.',
  SKIPPED: 'It was not to fire; `reason` says why.',
  PENDING: 'It waits; `reason` says for what.',
  FAILED: 'Something went wrong; `error` says what.',
});

export const TriggerReason = registered('TriggerReason', 'Why a trigger did not fire, or not yet.', {
  PAUSED: 'It was paused.',
  DELETED: 'It was deleted while it waited.',
  COOLDOWN: 'It had fired too short a time before.',
  RATE: 'It had fired as often as it may.',
  IN_FLIGHT: 'As many runs of it were in flight as may be.',
  SUPERSEDED: 'While it waited, a newer event came, or the trigger was changed.',
  BUDGET: 'The budget of the trigger or of the project had no room for it.',
  LOOP: 'It had led to the event itself, or too many triggers one after another had.',
  GATES: 'A gate of the alias did not let the synthetic dataset through.',
  MEASURING: 'It waits for the figures of its drift run.',
  QUEUED: 'It waits for a run of the trigger to end.',
});

export const LineageKind = registered('LineageKind', 'What a node of lineage is.', {
  ALIAS_VERSION: 'What an alias stands for, or stood for.',
  TRIGGER_EVALUATION: 'What a trigger came to for an event.',
  DATASET_VERSION: 'A dataset version.',
  PRIOR: 'A prior.',
  RUN: 'A run.',
  ARTIFACT: 'An artifact; those of versions and priors among them.',
  UPSTREAM_VERSION: 'A dataset version that others made, as an OpenLineage event told.',
});

export const LineageDirection = registered('LineageDirection', 'Which way lineage is followed.', {
  UPSTREAM: 'To what something was made from.',
  DOWNSTREAM: 'To what was made from something.',
});

export const LineageRelation = registered('LineageRelation', 'How what lies downstream came from what lies upstream.', {
  IMPORTED: 'A dataset version was imported from where an upstream version lay then.',
  READ: 'A run read a dataset version, a prior, or the artifact of one.',
  MADE: 'A run made an artifact.',
  REUSED:
    'A run found an artifact that another had made. Followed downstream alone: the bytes come from the other run.',
  DERIVED: 'An artifact was made from another.',
  PROMOTED: 'An alias came to stand for an artifact.',
  LAUNCHED: 'A trigger launched a run.',
  STORED: 'An artifact is what a dataset version or a prior is stored as.',
});
