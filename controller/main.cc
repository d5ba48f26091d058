#include "controller/controller.h"

int main(int argc, char** argv) { return prewarm::controller::RunController(argc, argv); }
