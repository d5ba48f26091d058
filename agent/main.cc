#include "agent/agent.h"

int main(int argc, char** argv) { return prewarm::agent::RunAgent(argc, argv); }
