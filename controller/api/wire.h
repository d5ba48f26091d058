// Messages of the public API and the controller's values: the only place where both are known.
// FromWire is strict: it names every wrong field at once.
#pragma once

#include <prewarm/v1/prewarm.pb.h>

#include <string>

#include "controller/api/prewarm_service.h"
#include "controller/api/problem.h"

namespace prewarm::controller {

struct ListRequest {
  PrewarmFilter filter;
  PageRequest page;
};
struct FilesRequest {
  std::string volume;
  std::string path;
  PageRequest page;
};

ApiResult<CreateRequest> FromWire(const v1::CreatePrewarmRequest& request);
ApiResult<ListRequest> FromWire(const v1::ListPrewarmsRequest& request);
ApiResult<FilesRequest> FromWire(const v1::ListFilesRequest& request);
ApiResult<PageRequest> FromWire(const v1::ListNodesRequest& request);
ApiResult<PageRequest> FromWire(const v1::ListVolumesRequest& request);
// An id or a name, not empty.
ApiResult<std::string> FromWire(const v1::GetPrewarmRequest& request);
ApiResult<std::string> FromWire(const v1::CancelPrewarmRequest& request);
ApiResult<std::string> FromWire(const v1::GetNodeRequest& request);
ApiResult<std::string> FromWire(const v1::GetVolumeRequest& request);

void ToWire(const PrewarmView& view, v1::Prewarm& message);
void ToWire(const CreateAnswer& answer, v1::Prewarm& message);
void ToWire(const PlanView& view, v1::PrewarmPlan& message);
void ToWire(const NodeView& view, v1::Node& message);
void ToWire(const VolumeView& view, v1::VolumeStatus& message);
void ToWire(const FilesView& view, v1::ListFilesResponse& message);
void ToWire(const Page<PrewarmView>& page, v1::ListPrewarmsResponse& message);
void ToWire(const Page<NodeView>& page, v1::ListNodesResponse& message);
void ToWire(const Page<VolumeView>& page, v1::ListVolumesResponse& message);

}  // namespace prewarm::controller
