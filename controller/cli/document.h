// Messages for programs: JSON and YAML with the names of the API's fields. Numbers are numbers
// (also those of 64 bits, which protobuf's own JSON quotes), times are RFC 3339 in UTC, durations
// seconds, states words in lower case. Every field is there, unknown ones as null, so that a script
// finds the same shape always.
#pragma once

#include <google/protobuf/message.h>

#include <boost/json/value.hpp>
#include <string>

namespace prewarm::ctl {

boost::json::value ToDocument(const google::protobuf::Message& message);

// In one line, without a newline.
std::string ToJsonLine(const boost::json::value& document);
// Indented, ended by a newline.
std::string ToJsonText(const boost::json::value& document);
// A block document, ended by a newline; texts are quoted wherever YAML could read them otherwise.
std::string ToYamlText(const boost::json::value& document);

}  // namespace prewarm::ctl
