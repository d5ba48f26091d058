#include "controller/cli/prewarmctl.h"

int main(int argc, char** argv) { return prewarm::ctl::RunPrewarmctl(argc, argv); }
