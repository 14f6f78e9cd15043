"""`trading-services <component>` runs one component, `trading-services report` prints a report,
`trading-services train` is the program in the Jobs of ModelTrainingJobs.

`--check` only validates a component's configuration.
"""

import argparse
import os
import signal
import sys
from importlib import import_module

# Only the chosen component is imported: the others' libraries may not even be installed.
COMPONENTS = {
    "system-controller": "trading_services.system_controller.service",
    "data-acquisition": "trading_services.data_acquisition.service",
    "feature-engineering": "trading_services.feature_engineering.service",
    "model-training": "trading_services.model_training.service",
    "trading-strategy": "trading_services.trading_strategy.service",
}


def main() -> int:
    """Parse the command line and run the component; return the process's exit code."""
    parser = argparse.ArgumentParser(prog="trading-services", description=__doc__)
    parser.add_argument("component", choices=[*sorted(COMPONENTS), "report", "train"])
    parser.add_argument("--check", action="store_true", help="validate the configuration and exit")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    arguments = parser.parse_args()
    if arguments.component != "report":
        # Kept for whoever runs it to take: as a container's first process, a SIGTERM that came
        # while the libraries are being imported would be lost.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    if arguments.component == "train":
        from trading_services.training_job.main import main as train

        return train(check_only=arguments.check)
    if arguments.component == "report":
        from trading_services.reporting.main import main as report

        return report(as_json=arguments.json)
    component = import_module(COMPONENTS[arguments.component]).COMPONENT

    from trading_services.contract.run import run_component

    return run_component(component, os.environ, check_only=arguments.check)


if __name__ == "__main__":
    sys.exit(main())
