// From where a model may lie to what lies there: the configured volumes as planning knows them, and
// the look into one of them. Lives on the control executor.
#pragma once

#include "common/async/task.h"
#include "common/base/result.h"
#include "controller/bento/known_volumes.h"
#include "controller/bento/model_source.h"
#include "controller/bento/source_resolver.h"
#include "controller/reconcile/volumes.h"

namespace prewarm::controller {

bento::KnownVolumes KnownVolumesOf(const VolumeMap& volumes);

// kNotFound: there is no such volume any more. Other errors are of its metadata, which could not be
// asked; that nothing lies there is an answer.
Task<Result<bento::SourceAnswer>> LookUpSource(const VolumeMap& volumes, bento::ModelSource source,
                                               bento::FileRules rules);

}  // namespace prewarm::controller
