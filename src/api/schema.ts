import 'reflect-metadata';
import { type GraphQLSchema, lexicographicSortSchema, printSchema } from 'graphql';
import { buildSchemaSync } from 'type-graphql';
import { CellQueries } from './resolvers/cells.ts';
import { AliasResolver, ArtifactAliases } from './resolvers/aliases.ts';
import { CostResolver } from './resolvers/costs.ts';
import { DriftResolver } from './resolvers/drift.ts';
import { ArtifactLineage, LineageQueries } from './resolvers/lineage.ts';
import { Mutations } from './resolvers/mutations.ts';
import { Queries } from './resolvers/queries.ts';
import { RetentionResolver } from './resolvers/retention.ts';
import { Subscriptions } from './resolvers/subscriptions.ts';
import { RunTriggers, TriggerResolver } from './resolvers/triggers.ts';
import { UploadMutations } from './resolvers/uploads.ts';
import { WebhookResolver } from './resolvers/webhooks.ts';
import { AliasVersion } from './types/alias.ts';
import { Artifact } from './types/artifact.ts';
import { Dataset, DatasetVersion } from './types/dataset.ts';
import { Prior } from './types/prior.ts';
import { Run } from './types/run.ts';
import { Trigger, TriggerEvaluation } from './types/trigger.ts';
import { Upload } from './types/upload.ts';

/** The schema that the service answers with. */
export function buildApiSchema(): GraphQLSchema {
  return buildSchemaSync({
    resolvers: [
      Queries,
      Mutations,
      AliasResolver,
      ArtifactAliases,
      UploadMutations,
      Subscriptions,
      ArtifactLineage,
      LineageQueries,
      CellQueries,
      CostResolver,
      DriftResolver,
      RetentionResolver,
      WebhookResolver,
      RunTriggers,
      TriggerResolver,
    ],
    orphanedTypes: [AliasVersion, Artifact, Dataset, DatasetVersion, Prior, Run, Trigger, TriggerEvaluation, Upload],
    validate: false,
    // Required by type-graphql where there are subscriptions; ours read the event table and never publish here.
    pubSub: { publish() {}, subscribe: () => emptyEvents() },
  });
}

/** schema/schema.graphql: sorted, so that a diff shows what changed and nothing else. */
export function printApiSchema(schema: GraphQLSchema = buildApiSchema()): string {
  return `${printSchema(lexicographicSortSchema(schema))}\n`;
}

async function* emptyEvents(): AsyncGenerator<never> {}
